package udpmux

import (
	"net/netip"
	"sync"
)

// waysMax bounds the hosts whose way is remembered. Those of a lookup fit, and of many who ask.
const waysMax = 4096

// ways remember by which address of ours hosts have reached us, so that they are answered from
// it: a host with several addresses would otherwise answer from the one that its system
// prefers, which a firewall or the asker takes for a stranger. It is safe for concurrent use.
type ways struct {
	mu   sync.Mutex
	ours map[netip.AddrPort]netip.Addr
}

// note records that a host has sent to an address of ours.
func (w *ways) note(host netip.AddrPort, ours netip.Addr) {
	if !ours.IsValid() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ours == nil {
		w.ours = make(map[netip.AddrPort]netip.Addr)
	} else if len(w.ours) >= waysMax {
		clear(w.ours)
	}
	w.ours[host] = ours
}

// back returns the address that a host has reached us by.
func (w *ways) back(host netip.AddrPort) (netip.Addr, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	ours, ok := w.ours[plain(host)]
	return ours, ok
}

// forget forgets the way of a host.
func (w *ways) forget(host netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.ours, plain(host))
}
