package reach

import (
	"net/netip"
	"slices"
	"time"
)

// A Machine finds out where we stand. One goroutine at a time may use it.
type Machine struct {
	relayed  []netip.AddrPort
	standing Standing
}

// New returns a Machine that knows nothing.
func New(now time.Time) *Machine { return &Machine{} }

// Observe takes in what was observed at a moment, and reports whether the standing has
// changed.
func (m *Machine) Observe(now time.Time, o Observation) (changed bool) {
	if o, ok := o.(Relayed); ok {
		m.relayed = slices.Clone(o.Addrs)
	}
	return m.judge(now)
}

// Tick takes in that time has passed, and reports whether the standing has changed.
func (m *Machine) Tick(now time.Time) (changed bool) { return m.judge(now) }

// Standing returns where we stand. Nobody may change its Relayed.
func (m *Machine) Standing() Standing { return m.standing }

func (m *Machine) judge(time.Time) bool {
	is := Standing{Relayed: m.relayed, Why: "nobody has told yet where others see us"}
	changed := !is.Equal(m.standing)
	m.standing = is
	return changed
}
