package egress

import (
	"encoding/binary"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// interfacePrefixes returns the addresses of all interfaces by the number of the interface
// (rtnetlink(7), RTM_GETADDR). It leaves out IPv6 addresses that are tentative, or that
// another machine has.
func interfacePrefixes() (map[int][]netip.Prefix, error) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil, os.NewSyscallError("netlinkrib", err)
	}
	messages, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, os.NewSyscallError("parsenetlinkmessage", err)
	}
	all := make(map[int][]netip.Prefix)
	for i := range messages {
		if messages[i].Header.Type != unix.RTM_NEWADDR {
			continue
		}
		if index, p, ok := parseAddress(&messages[i]); ok {
			all[index] = append(all[index], p)
		}
	}
	return all, nil
}

// parseAddress reads one address. It is not ok for one that cannot be used.
func parseAddress(m *syscall.NetlinkMessage) (index int, p netip.Prefix, ok bool) {
	if len(m.Data) < unix.SizeofIfAddrmsg {
		return 0, p, false
	}
	bits, flags := int(m.Data[1]), m.Data[2]
	index = int(binary.NativeEndian.Uint32(m.Data[4:]))
	if flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0 &&
		flags&unix.IFA_F_OPTIMISTIC == 0 {
		return 0, p, false
	}
	attributes, err := syscall.ParseNetlinkRouteAttr(m)
	if err != nil {
		return 0, p, false
	}
	var ip netip.Addr
	for _, a := range attributes {
		// Between two points, IFA_ADDRESS is the other end's, and IFA_LOCAL is ours.
		if a.Attr.Type == unix.IFA_LOCAL || a.Attr.Type == unix.IFA_ADDRESS && !ip.IsValid() {
			ip, _ = netip.AddrFromSlice(a.Value)
		}
	}
	p = netip.PrefixFrom(ip, bits)
	return index, p, p.IsValid()
}
