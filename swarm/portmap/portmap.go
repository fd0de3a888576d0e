package portmap

import (
	"net/netip"
	"time"
)

// Proto is a protocol above IP, with the number that IANA gives it.
type Proto uint8

// The protocols.
const (
	TCP Proto = 6
	UDP Proto = 17
)

func (p Proto) String() string {
	switch p {
	case TCP:
		return "TCP"
	case UDP:
		return "UDP"
	}
	return "unknown protocol"
}

// Method is the protocol that is spoken with a router.
type Method uint8

// The methods.
const (
	None   Method = iota
	PCP           // Port Control Protocol, RFC 6887
	NATPMP        // NAT Port Mapping Protocol, RFC 6886
	UPnP          // Internet Gateway Device, version 1 or 2
)

func (m Method) String() string {
	switch m {
	case PCP:
		return "PCP"
	case NATPMP:
		return "NAT-PMP"
	case UPnP:
		return "UPnP"
	}
	return "none"
}

// methods lists the methods.
var methods = [...]Method{PCP, NATPMP, UPnP}

// A Want is a port of this machine that others must be able to reach.
type Want struct {
	Proto Proto
	Port  uint16
	// Addr is the address that the port is open at. If it is not valid, the port is open at
	// all addresses; if it is unspecified, at those of its family. Then the port is mapped for
	// each address that leads to a gateway.
	Addr netip.Addr
}

// valid reports whether there is such a port.
func (w *Want) valid() bool { return w.Port != 0 && (w.Proto == TCP || w.Proto == UDP) }

// A Mapping is what has become of a Want at one gateway, seen from one address of this
// machine.
type Mapping struct {
	Want Want
	// Local is the address of this machine that the mapping leads to, and Gateway that of the
	// router. Neither is valid if no gateway is known.
	Local, Gateway netip.Addr
	// External is where others reach the port. It is not valid while the port is not mapped.
	// An address of a private range is that of a router behind another one, and says that
	// only machines in between can use the mapping.
	External netip.AddrPort
	// By is the method of the mapping, or None.
	By Method
	// Until is when the mapping ends unless it is renewed. It is zero for one without an end.
	Until time.Time
	// Err says why the port is not mapped: one of the errors of this package, or
	// egress.ErrProxied. It is nil as long as the answer is open.
	Err error
}

// Public reports whether the mapping leads to an address that anybody can send to.
func (m *Mapping) Public() bool { return m.External.IsValid() && public(m.External.Addr()) }
