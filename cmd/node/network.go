package main

import (
	"errors"

	"github.com/spf13/pflag"

	"swarmnode"
)

// networkFlags say by which way a command reaches others.
type networkFlags struct {
	device string
	opened *swarmnode.Network // by open
}

func (f *networkFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.device, "bind-device", "",
		"use the network interface `IF` alone, as that of a VPN: nothing leaves by another one, "+
			"and nothing at all while it is missing")
}

// open returns the network that the flags describe, the same one each time.
func (f *networkFlags) open() (*swarmnode.Network, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	n, err := swarmnode.NewNetwork(swarmnode.NetworkConfig{Device: f.device})
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
