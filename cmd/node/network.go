package main

import (
	"errors"

	"github.com/spf13/pflag"

	"swarmnode"
)

// networkFlags say by which way a command reaches others.
type networkFlags struct {
	device    string
	four, six bool               // this family alone
	opened    *swarmnode.Network // by open
}

func (f *networkFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.device, "bind-device", "",
		"use the network interface `IF` alone, as that of a VPN: nothing leaves by another one, "+
			"and nothing at all while it is missing")
	fs.BoolVar(&f.four, "ipv4", false, "use IPv4 alone")
	fs.BoolVar(&f.six, "ipv6", false, "use IPv6 alone")
}

// open returns the network that the flags describe, the same one each time.
func (f *networkFlags) open() (*swarmnode.Network, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	if f.four && f.six {
		return nil, fail(exitUsage, "", errors.New("--ipv4 excludes --ipv6"))
	}
	n, err := swarmnode.NewNetwork(swarmnode.NetworkConfig{Device: f.device, NoIPv4: f.six,
		NoIPv6: f.four})
	if err != nil {
		return nil, networkFailure(err)
	}
	f.opened = n
	return n, nil
}

// networkFailure returns the failure of a network that cannot be used.
func networkFailure(err error) error {
	if wrong, ok := errors.AsType[*swarmnode.NetworkError](err); ok {
		err = wrong.Err
	}
	return fail(exitNetwork, "--bind-device", err)
}
