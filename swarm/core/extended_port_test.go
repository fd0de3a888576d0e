package core

import (
	"testing"

	"swarmnode/swarm/wire"
)

// Peers with the extension protocol are told of a new port, once (BEP 10, "p").
func TestRebound(t *testing.T) {
	a := newExchangeWith(t, Config{Port: 1000})
	ports := func(port uint16) (told []uint16) {
		a.event(Event{Kind: Rebound, Count: int(port)})
		for _, action := range a.actions {
			if action.Kind != Send || action.Msg.Ext != wire.ExtHandshakeNumber {
				t.Errorf("another port: %s", showAction(&action))
				continue
			}
			h, err := wire.ParseExtHandshake(action.Msg.Payload)
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, h.Port)
		}
		return told
	}
	if told := ports(1000); len(told) > 0 {
		t.Errorf("the same port was told: %v", told)
	}
	extended := 0
	for _, p := range a.torrent.peers.all() {
		if p.extended {
			extended++
		}
	}
	told := ports(2000)
	if len(told) != extended || extended == 0 || told[0] != 2000 {
		t.Errorf("%d peers were told: %v", extended, told)
	}
}
