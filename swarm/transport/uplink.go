package transport

import (
	"net"
	"sync"
	"time"
)

// countFor is how long an Uplink counts before it begins again.
const countFor = time.Second

// An Uplink knows how many streams to peers beyond the local network send at a time, since
// those share one line. The zero Uplink is ready. It is safe for concurrent use.
type Uplink struct {
	mu     sync.Mutex
	turn   uint32    // counts how often it began again; 0 before the first time
	began  time.Time // when it did so last
	now    int       // streams that have sent since then
	before int       // streams that sent in the time before
}

// Watch returns the Path of a stream to a peer, which may be encrypted. It is nil where
// there is nothing to watch: for streams within a machine or a local network, for those
// that are not TCP, and on systems that cannot be asked.
func (u *Uplink) Watch(conn net.Conn) *Path {
	if outer, ok := conn.(interface{ Below() net.Conn }); ok {
		conn = outer.Below()
	}
	tcp, ok := conn.(*net.TCPConn)
	if !ok || !distant(RemoteAddrPort(tcp).Addr()) {
		return nil
	}
	s, ok := socketOf(tcp)
	if !ok {
		return nil
	}
	return &Path{socket: s, uplink: u}
}

// sends records that a stream sends, and returns how many do. counted is what the Uplink
// keeps with the stream, zero at first.
func (u *Uplink) sends(now time.Time, counted *uint32) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	if since := now.Sub(u.began); u.turn == 0 || since >= countFor {
		u.before = 0
		if since < 2*countFor {
			u.before = u.now
		}
		u.began, u.now = now, 0
		u.turn = max(u.turn+1, 1) // it may wrap
	}
	if *counted != u.turn {
		*counted = u.turn
		u.now++
	}
	return max(u.now, u.before)
}
