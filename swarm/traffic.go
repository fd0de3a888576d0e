package swarm

import "sync/atomic"

// traffic counts the payload bytes of all torrents, waste included. It is safe for concurrent
// use.
type traffic struct{ down, up atomic.Int64 }

// add counts more bytes.
func (t *traffic) add(down, up int64) {
	t.down.Add(down)
	t.up.Add(up)
}

// Traffic returns the payload bytes that all torrents together have received and sent since
// the engine began, waste included. Those of torrents that are gone count.
func (e *Engine) Traffic() (down, up int64) {
	return e.traffic.down.Load(), e.traffic.up.Load()
}
