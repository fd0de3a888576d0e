package utp

// traffic counts the datagrams of a connection. It is guarded by the mutex of the Conn.
type traffic struct {
	sent     int64 // bytes, headers included
	received int64 // bytes of headers
}

// Overhead returns how many bytes of UDP payload the connection has cost besides the stream:
// sent as headers, acknowledgements, probes and repeats, and received as headers and
// acknowledgements.
func (c *Conn) Overhead() (sent, received int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.traffic.sent - c.m.unsent, c.traffic.received
}
