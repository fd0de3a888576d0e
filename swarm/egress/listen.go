package egress

import (
	"context"
	"net"
	"net/netip"
	"slices"
)

// listenConfig returns how sockets are made that wait for others. Peers have keep-alives of
// their own. A stream over several interfaces (MPTCP) must not leave the device.
func (n *Net) listenConfig() *net.ListenConfig {
	l := &net.ListenConfig{KeepAlive: -1}
	if n.Device() != "" {
		l.Control = n.control
		l.SetMultipathTCP(false)
	}
	return l
}

// ListenTCP listens on addr over TCP, in its family alone. Port 0 chooses a free port. Behind a
// proxy nobody listens: the error is ErrProxied.
func (n *Net) ListenTCP(ctx context.Context, addr netip.AddrPort) (*net.TCPListener, error) {
	if err := n.mayListen(addr.Addr()); err != nil {
		return nil, err
	}
	l, err := n.listenConfig().Listen(ctx, networkOf("tcp", addr), addr.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// ListenUDP binds a UDP socket to addr, in its family alone. Port 0 chooses a free port.
func (n *Net) ListenUDP(ctx context.Context, addr netip.AddrPort) (*net.UDPConn, error) {
	if err := n.mayListen(addr.Addr()); err != nil {
		return nil, err
	}
	conn, err := n.listenConfig().ListenPacket(ctx, networkOf("udp", addr), addr.String())
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// mayListen returns an error if an address to listen on is not one of n.
func (n *Net) mayListen(ip netip.Addr) error {
	if n.Proxy() != nil {
		return ErrProxied
	}
	if !n.Family().Has(ip) {
		return ErrFamily
	}
	if n.Device() == "" || ip.IsUnspecified() {
		return nil
	}
	own, err := n.Addresses()
	if err != nil {
		return err
	}
	if !slices.Contains(own, ip.Unmap()) && !slices.Contains(own, ip.Unmap().WithZone("")) {
		return &DeviceError{n.cfg.Device, ErrOther}
	}
	return nil
}

// Unspecified returns the unspecified address of each family that this machine has sockets of
// and that is in use, IPv4 first: to listen on all of them is to listen everywhere. If no socket
// can be made, it returns one address, so that listening there says why.
func (n *Net) Unspecified() (hosts []netip.Addr) {
	for _, any := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		if conn, err := n.ListenUDP(context.Background(), netip.AddrPortFrom(any, 0)); err == nil {
			conn.Close()
			hosts = append(hosts, any)
		}
	}
	switch {
	case len(hosts) > 0:
	case n.Family() == IPv6:
		hosts = append(hosts, netip.IPv6Unspecified())
	default:
		hosts = append(hosts, netip.IPv4Unspecified())
	}
	return hosts
}

// ListenMulticast joins a multicast group on an interface, over UDP.
func (n *Net) ListenMulticast(ifi *net.Interface, group netip.AddrPort) (*net.UDPConn, error) {
	if n.Proxy() != nil {
		return nil, ErrProxied
	}
	if device := n.Device(); device != "" && ifi.Name != device {
		return nil, &DeviceError{device, ErrOther}
	}
	if !n.Family().Has(group.Addr()) {
		return nil, ErrFamily
	}
	conn, err := net.ListenMulticastUDP(networkOf("udp", group), ifi,
		net.UDPAddrFromAddrPort(group))
	if err != nil || n.Device() == "" {
		return conn, err
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = n.control("", "", raw)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// networkOf narrows a network to the family of addr. Otherwise [::] would take the IPv4 port
// as well, and 0.0.0.0 beside it would be in use.
func networkOf(name string, addr netip.AddrPort) string {
	if addr.Addr().Unmap().Is4() {
		return name + "4"
	}
	return name + "6"
}
