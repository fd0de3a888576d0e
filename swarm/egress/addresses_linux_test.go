package egress_test

import (
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
	"swarmnode/swarm/egress"
)

// ip runs ip(8).
func ip(t *testing.T, args string) {
	t.Helper()
	if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
}

// await calls have until it reports true.
func await(t *testing.T, what string, have func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !have(); <-tick.C {
		if time.Since(began) > time.Minute {
			t.Fatal("timed out: " + what)
		}
	}
}

// An address counts as ours once the system has found out that nobody else has it, and not at
// all if somebody has.
func TestTentativeAddresses(t *testing.T) {
	if !realclient.InNamespace(t) {
		return
	}
	ip(t, "link add one type veth peer name two")
	ip(t, "link set one up")
	ip(t, "link set two up")
	ip(t, "addr add fd00:2::1/64 dev two nodad")
	n, err := egress.New(egress.Config{Device: "one"})
	if err != nil {
		t.Fatal(err)
	}
	has := func(s string) bool {
		own, err := n.Addresses()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(own, netip.MustParseAddr(s))
	}
	ip(t, "addr add 192.0.2.1/24 dev one")
	if !has("192.0.2.1") {
		t.Error("an IPv4 address does not count at once")
	}
	ip(t, "addr add 192.0.2.9 peer 198.51.100.9/32 dev one")
	if !has("192.0.2.9") || has("198.51.100.9") {
		t.Error("the other end of a link counts as ours")
	}
	ip(t, "addr add fd00:2::7/64 dev one")
	if has("fd00:2::7") {
		t.Error("an address that may be somebody else's counts")
	}
	await(t, "an address of its own", func() bool { return has("fd00:2::7") })
	ip(t, "addr add fd00:2::1/64 dev one")
	await(t, "the system to find the other owner", func() bool {
		out, err := exec.Command("ip", "addr", "show", "dev", "one").CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(out), "dadfailed")
	})
	if has("fd00:2::1") {
		t.Error("an address of another machine counts as ours")
	}
	// What is not the device's does not count.
	if has("127.0.0.1") || has("::1") {
		t.Error("addresses of another interface count")
	}
	ifi, err := net.InterfaceByName("one")
	if err != nil {
		t.Fatal(err)
	}
	all, err := (*egress.Net)(nil).Prefixes()
	if err != nil || !slices.Contains(all[ifi.Index], netip.MustParsePrefix("192.0.2.1/24")) {
		t.Errorf("with their prefixes: %v, %v", all, err)
	}
	if _, err := n.ListenTCP(t.Context(), netip.MustParseAddrPort("127.0.0.1:0")); err == nil {
		t.Error("listening on an address of another interface")
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if err := n.Refuses(loopback); err != egress.ErrLoopback {
		t.Errorf("an address of this machine through an interface: %v", err)
	}
	lo, err := egress.New(egress.Config{Device: "lo"})
	if err != nil || lo.Refuses(loopback) != nil {
		t.Errorf("loopback through loopback: %v", err)
	}
	ip(t, "link set one down")
	if _, err := n.Present(); err == nil {
		t.Error("an interface that is down is present")
	}
	ip(t, "link del one")
	if own, err := n.Addresses(); err != nil || len(own) > 0 {
		t.Errorf("without the interface: %v, %v", own, err)
	}
}
