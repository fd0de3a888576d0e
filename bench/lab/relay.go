//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"

	"swarmnode/internal/lab"
)

// The user of coturn.
const (
	turnUser     = "lab"
	turnPassword = "secret"
)

// coturn starts a relay that nodes are told of, on a public host of its own.
func (m *meeting) coturn(ctx context.Context, l *lab.Lab) error {
	name := fmt.Sprintf("relay%d", len(m.turns))
	h, err := l.Modelled(name, m.turnWay, m.turnWay)
	if err != nil {
		return err
	}
	s, err := h.TURN(ctx, turnUser, turnPassword)
	if err != nil {
		return err
	}
	m.turns = append(m.turns, s)
	at := netip.AddrPortFrom(h.Addr, lab.TURNPort)
	m.flags = append(m.flags, "--relay", fmt.Sprintf("turn:%s:%s@%v", turnUser, turnPassword, at))
	return nil
}
