package dht

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// grantTo is a TURN server that names the asker in its credentials.
func grantTo(asker netip.Addr) TurnCredentials {
	return TurnCredentials{User: "1796012345", Password: "for-" + asker.String(), Port: 3478,
		Life: 10 * time.Minute}
}

func turnPacket(id ID, token string) string {
	return queryPacket("turn_credentials", target("target", id)+"5:token8:"+token)
}

// Credentials go to a host with a token for its address, and to no other one. The answer is
// shorter than that to get_peers, which anybody gets.
func TestTurnCredentialsNeedAToken(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.core.grant = grantTo
	relays := ID(RelayTarget)
	token := b.tokenFor(askAddr, relays)
	answer := b.ask(askAddr, turnPacket(relays, token))
	got := turnOf(parsed(t, answer))
	if want := grantTo(askAddr.Addr()); got != want {
		t.Errorf("the answer %q holds %+v, want %+v", answer, got, want)
	}
	b.fill(20)
	peers := b.ask(askAddr, queryPacket("get_peers", target("info_hash", relays)))
	if len(answer) >= len(peers) {
		t.Errorf("%d bytes with credentials, %d with nodes", len(answer), len(peers))
	}
	if query := turnPacket(relays, token); len(answer) > 2*len(query) {
		t.Errorf("%d bytes answer a query of %d", len(answer), len(query))
	}
	for name, packet := range map[string]string{
		"no token":         queryPacket("turn_credentials", target("target", relays)),
		"token of another": turnPacket(relays, b.tokenFor(otherAddr, relays)),
		"token of another hash": turnPacket(relays,
			b.tokenFor(askAddr, someHash)),
	} {
		if m := parsed(t, b.ask(askAddr, packet)); m.errCode != 203 || len(m.user) > 0 {
			t.Errorf("%s: error %d, user %q; want error 203", name, m.errCode, m.user)
		}
	}
	b.now += 3 * tokenPeriod
	b.core.tick(b.now)
	if m := parsed(t, b.ask(askAddr, turnPacket(relays, token))); m.errCode != 203 {
		t.Errorf("an old token: error %d, want 203", m.errCode)
	}
}

// A node without a TURN server treats the query as any unknown one: with a target as find_node,
// otherwise with error 204.
func TestTurnCredentialsWithoutAServer(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.fill(20)
	relays := ID(RelayTarget)
	packet := turnPacket(relays, b.tokenFor(askAddr, relays))
	if m := parsed(t, b.ask(askAddr, packet)); m.kind != 'r' || len(m.nodes) == 0 || m.user != nil {
		t.Errorf("answer %q with user %q, want nodes", m.kind, m.user)
	}
	bare := queryPacket("turn_credentials", "")
	if m := parsed(t, b.ask(askAddr, bare)); m.errCode != int64(errorMethod.code) {
		t.Errorf("error %d, want 204", m.errCode)
	}
	b.core.grant = grantTo
	other := turnPacket(someHash, b.tokenFor(askAddr, someHash))
	if m := parsed(t, b.ask(askAddr, other)); m.kind != 'r' || m.user != nil {
		t.Errorf("another version: answer %q with user %q, want nodes", m.kind, m.user)
	}
}

// A flood from one source draws no more answers than other queries with a token do.
func TestTurnCredentialsAreLimited(t *testing.T) {
	b := newBench(t, coreConfig{})
	b.core.grant = grantTo
	relays := ID(RelayTarget)
	packet := turnPacket(relays, b.tokenFor(askAddr, relays))
	got := 0
	for range 1000 {
		if b.ask(askAddr, packet) != nil {
			got++
		}
	}
	if most := 2 * b.core.limits.QueriesInBurst; got > most || got == 0 {
		t.Errorf("%d answers at once, want 1 to %d", got, most)
	}
}

// What an answer claims counts only within its bounds.
func TestTurnOfAnswers(t *testing.T) {
	for _, c := range []struct {
		body string
		want TurnCredentials
	}{
		{"4:lifei600e8:password1:p4:porti3478e4:user1:u",
			TurnCredentials{"u", "p", 3478, 10 * time.Minute}},
		{"4:lifei99999999999e8:password1:p4:porti1e4:user1:u",
			TurnCredentials{"u", "p", 1, turnLifeMax}},
		{"4:lifei0e8:password1:p4:porti1e4:user1:u", TurnCredentials{}},
		{"4:lifei-5e8:password1:p4:porti1e4:user1:u", TurnCredentials{}},
		{"4:lifei5e8:password1:p4:porti0e4:user1:u", TurnCredentials{}},
		{"4:lifei5e8:password1:p4:porti65536e4:user1:u", TurnCredentials{}},
		{"4:lifei5e8:password0:4:porti1e4:user1:u", TurnCredentials{}},
		{"4:lifei5e8:password1:p4:porti1e4:user65:" + strings.Repeat("u", 65), TurnCredentials{}},
		{"4:lifei5e8:password65:" + strings.Repeat("p", 65) + "4:porti1e4:user1:u",
			TurnCredentials{}},
		{"4:life1:x8:passwordi1e4:porti1e4:user1:u", TurnCredentials{}},
		{"", TurnCredentials{}},
	} {
		m := parsed(t, []byte("d1:rd2:id20:abcdefghij0123456789"+c.body+"e1:t4:TTTT1:y1:re"))
		if got := turnOf(m); got != c.want {
			t.Errorf("%.60s: %+v, want %+v", c.body, got, c.want)
		}
	}
}

// Two nodes on loopback: one asks, the other one gives while it has a TURN server.
func TestTurnCredentials(t *testing.T) {
	ctx := testContext(t)
	relay, at := startNode(t)
	asker, _ := startNode(t)
	if got, err := asker.TurnCredentials(ctx, at); !errors.Is(err, ErrNoRelay) {
		t.Fatalf("without a server: %+v, %v", got, err)
	}
	relay.ServeTurn(grantTo)
	got, err := asker.TurnCredentials(ctx, at)
	if want := grantTo(at.Addr()); err != nil || got != want {
		t.Fatalf("%+v, %v; want %+v", got, err, want)
	}
	relay.ServeTurn(nil)
	if got, err := asker.TurnCredentials(ctx, at); !errors.Is(err, ErrNoRelay) {
		t.Fatalf("after the end: %+v, %v", got, err)
	}
	relay.Close()
	relay.ServeTurn(grantTo) // a closed node answers nothing
}
