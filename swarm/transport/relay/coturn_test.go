//go:build linux

package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
	"swarmnode/swarm/transport/udpmux"
	"swarmnode/swarm/transport/utp"
)

// coturn starts a coturn with the account "me".
func coturn(t *testing.T) netip.AddrPort {
	t.Helper()
	return realclient.StartServer(t, realclient.Coturn,
		func(ctx context.Context, state string) (*realclient.Server, error) {
			return realclient.LaunchCoturn(ctx, loopback, "me", "secret", state)
		}).Addr
}

// Our client gets on with coturn over UDP and TCP, with channels, permits and uTP.
func TestCoturn(t *testing.T) {
	at := coturn(t)
	for name, transport := range map[string]Transport{"UDP": UDP, "TCP": TCP} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Server: URI{Host: at.Addr().String(), Port: at.Port(), User: "me",
				Password: "secret", Transport: transport}}
			a, err := Dial(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			letIn(t, a, "127.0.0.1", "127.0.2.1", "127.0.3.1")
			if err := a.refresh(patience); err != nil {
				t.Error("refresh:", err)
			}
			peer, err := utp.Listen(t.Context(), netip.MustParseAddrPort("127.0.2.1:0"),
				utp.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			m := udpmux.New(a)
			defer m.Close()
			socket := utp.NewSocket(m, utp.Config{DatagramMax: DatagramMax})
			defer socket.Close()
			ours, err := socket.Dial(t.Context(), peer.AddrPort())
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := peer.Accept()
			if err != nil {
				t.Fatal(err)
			}
			want := content(4 << 20)
			go ours.Write(want)
			got := make([]byte, len(want))
			if _, err := io.ReadFull(theirs, got); err != nil || !bytes.Equal(got, want) {
				t.Error(err)
			}
			eventually(t, "a channel", func() bool {
				n, _, _ := a.peers.way(a.now(), peer.AddrPort())
				return n != 0
			})
		})
	}
	cfg := Config{Server: URI{Host: at.Addr().String(), Port: at.Port(), User: "me", Password: "x"}}
	if _, err := Dial(t.Context(), cfg); !errors.Is(err, ErrCredentials) {
		t.Errorf("with another password: %v", err)
	}
}

// Our server gives the client of coturn an allocation, a permit and a channel. It may ask for a
// port with an even number, which we do not lend, so it is run until it does not.
func TestCoturnClient(t *testing.T) {
	const program = "turnutils_uclient"
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(err)
	}
	for name, flag := range map[string]string{"UDP": "-v", "TCP": "-t"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, func(c *ServerConfig) {
				c.Users, c.crowded = map[string]string{"me": "secret"}, true
			})
			var said string
			for range 10 {
				var bound bool
				if said, bound = bindsChannel(t, program, flag, "-v", "-u", "me", "-w", "secret",
					"-p", fmt.Sprint(s.Addrs()[0].Port()), "-e", "127.0.2.1", "-r", "6881",
					"-n", "1", "-m", "1", "-c", loopback.String()); bound {
					return
				}
			}
			t.Errorf("no channel; it said last:\n%s", said)
		})
	}
}

// bindsChannel runs coturn's client until it has bound a channel, and reports whether it has.
func bindsChannel(t *testing.T, program string, args ...string) (said string, bound bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
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
