//go:build linux

package realclient

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Tracker is an HTTP tracker (BEP 3, compact answers of BEP 23) that names the same peers
// to everyone. Clients that cannot be given a peer, Transmission and aria2, learn of
// peers from it.
type Tracker struct {
	URL string // to announce to

	server   *http.Server
	finished chan struct{}
}

// trackerInterval is the announce interval, in seconds. Nothing changes, but a client
// that announced too early should announce again soon.
const trackerInterval = 5

// NewTracker starts a tracker on an address of this machine; only IPv4 peers
// are named. The caller must Close it.
func NewTracker(ip netip.Addr, peers ...netip.AddrPort) (*Tracker, error) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return nil, fmt.Errorf("starting tracker: %w", err)
	}
	var compact []byte
	for _, p := range peers {
		if !p.Addr().Is4() {
			listener.Close()
			return nil, fmt.Errorf("starting tracker: %v is not an IPv4 address", p)
		}
		compact = append(compact, p.Addr().AsSlice()...)
		compact = binary.BigEndian.AppendUint16(compact, p.Port())
	}
	answer := fmt.Appendf(nil, "d8:completei%de8:intervali%de12:min intervali%de5:peers%d:%se",
		len(peers), trackerInterval, trackerInterval, len(compact), compact)
	t := &Tracker{URL: "http://" + listener.Addr().String() + "/announce",
		finished: make(chan struct{})}
	t.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(answer) // an announcer that went away comes again
		}),
	}
	go func() {
		defer close(t.finished)
		_ = t.server.Serve(listener) // ends with ErrServerClosed
	}()
	return t, nil
}

// Close ends the tracker.
func (t *Tracker) Close() {
	t.server.Close()
	<-t.finished
}
