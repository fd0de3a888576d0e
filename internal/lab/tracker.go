//go:build linux

package lab

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// trackerInterval is the announce interval, in seconds.
const trackerInterval = 15

// Tracker is an HTTP tracker that names everybody who has announced within two intervals,
// at the address from which the announce came.
type Tracker struct {
	URL string

	server   *http.Server
	finished chan struct{}

	mu    sync.Mutex
	peers map[netip.AddrPort]time.Time // when each has announced last
}

// NewTracker starts a tracker on an address of this namespace. The caller must
// Close it.
func NewTracker(ip netip.Addr) (*Tracker, error) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
	if err != nil {
		return nil, fmt.Errorf("starting tracker: %w", err)
	}
	t := &Tracker{
		URL: "http://" + listener.Addr().String() + "/announce", finished: make(chan struct{}),
		peers: map[netip.AddrPort]time.Time{},
	}
	t.server = &http.Server{ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(t.announce)}
	go func() {
		defer close(t.finished)
		_ = t.server.Serve(listener) // ends with ErrServerClosed
	}()
	return t, nil
}

func (t *Tracker) announce(w http.ResponseWriter, r *http.Request) {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	port, portErr := strconv.ParseUint(r.FormValue("port"), 10, 16)
	if err != nil || portErr != nil {
		http.Error(w, "no port", http.StatusBadRequest)
		return
	}
	me := netip.AddrPortFrom(from.Addr().Unmap(), uint16(port))
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.peers[me] = now
	if r.FormValue("event") == "stopped" {
		delete(t.peers, me)
	}
	var compact []byte
	for peer, at := range t.peers {
		if now.Sub(at) > 2*trackerInterval*time.Second {
			delete(t.peers, peer)
		} else if peer != me {
			compact = append(compact, peer.Addr().AsSlice()...)
			compact = binary.BigEndian.AppendUint16(compact, peer.Port())
		}
	}
	// An announcer that went away comes again.
	_, _ = fmt.Fprintf(w, "d8:intervali%de12:min intervali%de5:peers%d:%se", trackerInterval,
		trackerInterval, len(compact), compact)
}

// Close ends the tracker.
func (t *Tracker) Close() {
	t.server.Close()
	<-t.finished
}
