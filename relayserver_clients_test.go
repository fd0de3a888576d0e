package swarmnode

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v5"

	"swarmnode/dht"
)

// askAt asks a relay's DHT node for credentials from an address of this machine.
func askAt(t *testing.T, ip string, at netip.AddrPort) dht.TurnCredentials {
	t.Helper()
	conn, err := net.ListenPacket("udp", ip+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	node, err := dht.New(dht.Config{Conns: []net.PacketConn{conn}, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	given, err := node.TurnCredentials(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return given
}

// The client of pion/turn gets an allocation with credentials of the DHT, and none from another
// address.
func TestRelayServesPion(t *testing.T) {
	r, d := startRelay(t, RelayConfig{})
	given := askAt(t, "127.0.1.1", d.Addrs()[0])
	allocate := func(ip string) error {
		conn, err := net.ListenPacket("udp", ip+":0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		client, err := turn.NewClient(&turn.ClientConfig{
			TURNServerAddr: fmt.Sprintf("127.0.0.1:%d", given.Port), Conn: conn,
			Username: given.User, Password: given.Password, Realm: "relay",
			LoggerFactory: &logging.DefaultLoggerFactory{Writer: io.Discard}})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if err := client.Listen(); err != nil {
			t.Fatal(err)
		}
		relayed, err := client.Allocate()
		if err == nil {
			relayed.Close()
		}
		return err
	}
	if err := allocate("127.0.1.1"); err != nil {
		t.Error(err)
	}
	if err := allocate("127.0.1.2"); err == nil {
		t.Error("credentials count at another address")
	}
	if s := r.State().Stats; s.Admitted != 1 || s.Denied == 0 {
		t.Errorf("%+v", s)
	}
}

// The client of coturn binds a channel with credentials of the DHT. It may ask for a port with an
// even number, which we do not lend, so it is run until it does not.
func TestRelayServesCoturnClient(t *testing.T) {
	const program = "turnutils_uclient"
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	_, d := startRelay(t, RelayConfig{})
	said := ""
	for i := range 10 {
		ip := fmt.Sprintf("127.0.1.%d", i+1)
		given := askAt(t, ip, d.Addrs()[0])
		var bound bool
		said, bound = bindsChannel(t, program, "-v", "-v", "-u", given.User, "-w", given.Password,
			"-L", ip, "-p", fmt.Sprint(given.Port), "-e", "127.0.2.1", "-r", "6881", "-n", "1",
			"-m", "1", "-c", "127.0.0.1")
		if bound {
			return
		}
	}
	t.Errorf("no channel; it said last:\n%s", said)
}

// bindsChannel runs coturn's client until it has bound a channel, and reports whether it has.
func bindsChannel(t *testing.T, program string, args ...string) (said string, bound bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); !bound && lines.Scan(); {
		said += lines.Text() + "\n"
		bound = strings.Contains(lines.Text(), "success: 0x") // the number of the channel
	}
	cancel()
	_ = cmd.Wait() // it was killed, or has failed
	return said, bound
}
