package egress

import (
	"errors"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/windows"
)

const (
	// adaptersBytes is how much room the list of adapters gets at first, as Microsoft advises.
	adaptersBytes = 15 << 10
	// adaptersTries bounds how often the list may have grown in between.
	adaptersTries = 4
)

// defaultRoutes returns the gateways of all adapters that are up (GetAdaptersAddresses).
func defaultRoutes(map[int][]netip.Prefix) ([]Gateway, error) {
	first, err := adapters()
	if err != nil {
		return nil, err
	}
	var all []Gateway
	for a := first; a != nil; a = a.Next {
		if a.OperStatus != windows.IfOperStatusUp {
			continue
		}
		for g := a.FirstGatewayAddress; g != nil; g = g.Next {
			ip, ok := netip.AddrFromSlice(g.Address.IP())
			if !ok {
				continue
			}
			index := a.IfIndex
			if index == 0 { // as in package net
				index = a.Ipv6IfIndex
			}
			all = append(all, Gateway{Index: int(index), Addr: ip}.zoned())
		}
	}
	return all, nil
}

// adapters returns the list of adapters, or nil if there are none.
func adapters() (*windows.IpAdapterAddresses, error) {
	size := uint32(adaptersBytes)
	var err error
	for range adaptersTries {
		b := make([]byte, size)
		first := (*windows.IpAdapterAddresses)(unsafe.Pointer(&b[0]))
		err = windows.GetAdaptersAddresses(windows.AF_UNSPEC, windows.GAA_FLAG_INCLUDE_GATEWAYS, 0,
			first, &size)
		switch {
		case err == nil && size > 0:
			return first, nil
		case err == nil, errors.Is(err, windows.ERROR_NO_DATA):
			return nil, nil
		case !errors.Is(err, windows.ERROR_BUFFER_OVERFLOW):
			return nil, os.NewSyscallError("getadaptersaddresses", err)
		}
	}
	return nil, os.NewSyscallError("getadaptersaddresses", err)
}
