//go:build linux

package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"swarmnode/internal/realclient"
)

// mappingPort is the port of PCP and NAT-PMP (RFC 6887, section 19.1).
const mappingPort = 5351

// Offers are the protocols by which a router lets hosts inside map ports. miniupnpd serves
// them. Requests of NAT-PMP or of PCP get no answer where only the other one is offered.
type Offers struct {
	PCP, NATPMP, UPnP bool
	// OldIGD makes UPnP describe an InternetGatewayDevice:1, rather than one of version 2.
	OldIGD bool
}

func (o Offers) any() bool { return o.PCP || o.NATPMP || o.UPnP }

// translateByKernel gives a router the NAT of the kernel, which chooses the same port
// outside where it can and filters by address and port, and a miniupnpd that writes rules
// into it.
func (h *Host) translateByKernel(cfg RouterConfig) error {
	if err := run(fmt.Sprintf("ip -n %s addr add %v/24 dev wan", h.Name, h.Addr)); err != nil {
		return err
	}
	if err := h.rule(gatewayRules); err != nil {
		return err
	}
	return h.Offer(context.Background(), cfg.Offers)
}

// rule gives rules to the kernel of a router.
func (h *Host) rule(rules string) error {
	file := h.file("rules.nft")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		return err
	}
	return run("ip netns exec " + h.Name + " nft -f " + file)
}

// flush makes the kernel of a router forget every connection. On a change of its address it
// forgets by itself only those that it has masqueraded, and not those that came in by a rule
// of miniupnpd.
func (h *Host) flush() error {
	const deleteConnections = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // all, for want of a name
	request := make([]byte, unix.SizeofNlMsghdr+4)              // and struct nfgenmsg, zero
	binary.NativeEndian.PutUint32(request, uint32(len(request)))
	binary.NativeEndian.PutUint16(request[4:], deleteConnections)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	return h.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC,
			unix.NETLINK_NETFILTER)
		if err != nil {
			return fmt.Errorf("forgetting connections: %w", err)
		}
		defer unix.Close(fd)
		if _, err := unix.Write(fd, request); err != nil {
			return fmt.Errorf("forgetting connections: %w", err)
		}
		var answer [1024]byte
		n, err := unix.Read(fd, answer[:])
		if err != nil || n < unix.SizeofNlMsghdr+4 {
			return fmt.Errorf("forgetting connections: %d bytes: %w", n, err)
		}
		code := int32(binary.NativeEndian.Uint32(answer[unix.SizeofNlMsghdr:]))
		if code != 0 {
			return fmt.Errorf("forgetting connections: %w", unix.Errno(-code))
		}
		return nil
	})
}

// Miniupnpd returns the program of a router with Offers.
func (h *Host) Miniupnpd() *Service { return h.offering }

// gatewayRules are those of the router itself. miniupnpd adds its own to the empty chains.
const gatewayRules = `table inet filter {
	chain input {
		type filter hook input priority 0;
		iifname wan ct state new,invalid drop
		iifname lan jump refused
	}
	chain refused {
	}
	chain forward {
		type filter hook forward priority 0; policy drop;
		ct state established,related accept
		iifname lan accept
		jump miniupnpd
	}
	chain miniupnpd {
	}
	chain prerouting {
		type nat hook prerouting priority -100;
		jump prerouting_miniupnpd
	}
	chain postrouting {
		type nat hook postrouting priority 100;
		jump postrouting_miniupnpd
		meta nfproto ipv4 oifname wan masquerade
	}
	chain prerouting_miniupnpd {
	}
	chain postrouting_miniupnpd {
	}
}
`

// refused are the rules against requests of what is not offered.
func (o Offers) refused() string {
	rule := ""
	switch port := fmt.Sprintf("udp dport %d ", mappingPort); {
	case !o.PCP && !o.NATPMP:
		rule = port + "reject" // as a closed port does
	case !o.PCP:
		rule = port + "@th,64,8 2 drop" // the version, the first byte of a request
	case !o.NATPMP:
		rule = port + "@th,64,8 0 drop"
	}
	return "flush chain inet filter refused\ntable inet filter {\n\tchain refused {\n\t\t" + rule +
		"\n\t}\n}\n"
}

// Offer starts the miniupnpd of a router with Offers. [Lab.Router] does it, and a caller
// that has ended the program does it again, as a router that starts again, perhaps with
// other protocols.
func (h *Host) Offer(ctx context.Context, o Offers) error {
	path, err := realclient.ServerInstalled(realclient.Miniupnpd)
	if err != nil {
		return err
	}
	if err := h.rule(o.refused()); err != nil {
		return err
	}
	config := strings.Join([]string{
		"ext_ifname=wan", "listening_ip=lan",
		// It always takes requests of PCP and NAT-PMP, which the rules refuse, since it says
		// when it does: by then everything else is served.
		"enable_natpmp=yes", "enable_upnp=" + yesNo(o.UPnP),
		"force_igd_desc_v1=" + yesNo(o.OldIGD), "ipv6_disable=" + yesNo(!h.inner6.IsValid()),
		// A mapping that it has renewed it may not remove before its least lifetime, which is
		// two minutes by default.
		"min_lifetime=4",
		"secure_mode=yes", "system_uptime=no", "uuid=8c3a3f3e-93c7-4a6e-9f53-6d5f7a9d4b01",
		"",
	}, "\n")
	file := h.file("miniupnpd.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return err
	}
	h.offering, err = h.serve(ctx, []string{path, "-d", "-f", file,
		"-P", h.file("miniupnpd.pid")}, "Listening for NAT-PMP/PCP")
	return err
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
