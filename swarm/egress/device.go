package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
)

// device returns the interface of n, which has one. The error is a *DeviceError.
func (n *Net) device() (*net.Interface, error) {
	ifi, err := net.InterfaceByName(n.cfg.Device)
	if err != nil {
		var known *net.OpError
		if errors.As(err, &known) && known.Err.Error() == "no such network interface" {
			err = ErrMissing
		}
		return nil, &DeviceError{n.cfg.Device, err}
	}
	return ifi, nil
}

// try makes a socket and binds it to the device, without sending anything.
func (n *Net) try() error {
	l := net.ListenConfig{Control: n.control}
	for _, network := range []string{"udp4", "udp6"} {
		conn, err := l.ListenPacket(context.Background(), network, ":0")
		if err == nil {
			conn.Close()
			return nil
		}
		var device *DeviceError
		if errors.As(err, &device) {
			return device
		}
	}
	return nil // this machine has no sockets at all, which the ports will say
}

// Present returns the number that the system gives the interface. The error is a
// *DeviceError that wraps ErrMissing or ErrDown while nothing can be sent. A number other
// than before means that the interface was made again under the same name: sockets that were
// bound to the old one are dead. Without a device, the number is zero.
func (n *Net) Present() (index int, err error) {
	if n.Device() == "" {
		return 0, nil
	}
	ifi, err := n.device()
	if err != nil {
		return 0, err
	}
	if ifi.Flags&net.FlagUp == 0 {
		return ifi.Index, &DeviceError{n.cfg.Device, ErrDown}
	}
	return ifi.Index, nil
}

// Interfaces returns the interfaces of this machine, or the device alone.
func (n *Net) Interfaces() ([]net.Interface, error) {
	if n.Device() == "" {
		return net.Interfaces()
	}
	ifi, err := n.device()
	if err != nil {
		return nil, err
	}
	return []net.Interface{*ifi}, nil
}

// Addresses returns the addresses of this machine, or those of the device, in the families in
// use. IPv6 addresses that nobody can use yet are left out: the system still asks whether
// another machine has them (RFC 4862, section 5.4). A device that is missing has none.
func (n *Net) Addresses() ([]netip.Addr, error) {
	all, err := n.Prefixes()
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	for _, list := range all {
		for _, p := range list {
			addrs = append(addrs, p.Addr())
		}
	}
	return addrs, nil
}

// Prefixes returns the addresses of Addresses, by the number of their interface, each with
// the length of its network's prefix.
func (n *Net) Prefixes() (map[int][]netip.Prefix, error) {
	all, err := interfacePrefixes()
	if err != nil {
		return nil, err
	}
	if n.Device() != "" {
		ifi, err := n.device()
		if errors.Is(err, ErrMissing) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		all = map[int][]netip.Prefix{ifi.Index: all[ifi.Index]}
	}
	for index, list := range all {
		all[index] = slices.DeleteFunc(list, func(p netip.Prefix) bool {
			return !n.Family().Has(p.Addr())
		})
	}
	return all, nil
}

// bindError returns the error of binding a socket to a device.
func bindError(device string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		err = ErrPrivilege
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.ENXIO):
		err = ErrMissing
	case errors.Is(err, ErrUnsupported):
	default:
		err = os.NewSyscallError("setsockopt", err)
	}
	return &DeviceError{device, err}
}
