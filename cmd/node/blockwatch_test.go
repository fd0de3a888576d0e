package main

import (
	"context"
	"testing"

	"swarmnode"
)

// A hungUpBlocker is a blocker whose user sends SIGHUP while its list is told.
type hungUpBlocker struct {
	c        *console
	taken    bool // SIGHUP asked for a reload then
	reloaded chan struct{}
}

func (b *hungUpBlocker) Blocklist() swarmnode.BlocklistState {
	b.taken = b.taken || b.c.hangups.taken() && b.c.hangups.ask()
	return swarmnode.BlocklistState{}
}

func (b *hungUpBlocker) ReloadBlocklist(ctx context.Context) error {
	close(b.reloaded)
	<-ctx.Done()
	return ctx.Err()
}

// A SIGHUP that comes as soon as the command tells of its blocklist asks for a reload, and
// does not end the command.
func TestHangUpAtFirstWord(t *testing.T) {
	c, _, _ := testConsole()
	b := &hungUpBlocker{c: c, reloaded: make(chan struct{})}
	w := watchBlocklist(c, b, &blockFlags{lists: listValue{items: []string{"list"}}})
	defer w.close()
	if !b.taken {
		t.Fatal("SIGHUP ends the command")
	}
	<-b.reloaded
}
