package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
)

// networkFlags say by which way a command reaches others.
type networkFlags struct {
	device    string
	proxy     string
	four, six bool               // this family alone
	opened    *swarmnode.Network // by open
}

func (f *networkFlags) register(fs *pflag.FlagSet) {
	fs.Var((*filledValue)(&f.device), "bind-device",
		"use the network interface `IF` alone, as that of a VPN: nothing leaves by another one, "+
			"and nothing at all while it is missing")
	fs.BoolVar(&f.four, "ipv4", false, "use IPv4 alone")
	fs.BoolVar(&f.six, "ipv6", false, "use IPv6 alone")
}

// registerProxy adds --proxy, for commands that serve nobody by themselves.
func (f *networkFlags) registerProxy(fs *pflag.FlagSet) {
	fs.Var((*filledValue)(&f.proxy), "proxy",
		"reach everybody through a SOCKS5 proxy, socks5://[USER:PASSWORD@]HOST:PORT given as `URL`; "+
			"nothing leaves past it, names are looked up by it, and nobody can connect to us "+
			"but through it (a password is better kept in SWARM_PROXY)")
}

// open returns the network that the flags describe, the same one each time.
func (f *networkFlags) open() (*swarmnode.Network, error) {
	if f.opened != nil {
		return f.opened, nil
	}
	if f.four && f.six {
		return nil, failWithHint(exitUsage, "", errors.New("--ipv4 excludes --ipv6"),
			"one of them, or neither for both families")
	}
	n, err := swarmnode.NewNetwork(swarmnode.NetworkConfig{Device: f.device, NoIPv4: f.six,
		NoIPv6: f.four, Proxy: f.proxy})
	if err != nil {
		return nil, networkFailure(err)
	}
	f.opened = n
	return n, nil
}

// networkFailure returns the failure of a network that cannot be used.
func networkFailure(err error) error {
	if wrong, ok := errors.AsType[*swarmnode.ProxyURLError](err); ok {
		return fail(exitUsage, "--proxy", wrong.Err)
	}
	if wrong, ok := errors.AsType[*swarmnode.NetworkError](err); ok {
		err = wrong.Err
	}
	return fail(exitNetwork, "--bind-device", err)
}

// proxyTimeout bounds the wait for the proxy at the start.
const proxyTimeout = 3 * time.Second

// checkProxy fails if n has a proxy that does not want us. A proxy that cannot be used for
// another reason is waited for, and the node says so.
func checkProxy(ctx context.Context, n *swarmnode.Network) error {
	ctx, cancel := context.WithTimeout(ctx, proxyTimeout)
	defer cancel()
	if err := n.CheckProxy(ctx); errors.Is(err, swarmnode.ErrProxyCredentials) {
		return fail(exitNetwork, "--proxy", err)
	}
	return nil
}

// awaitProxy waits until the proxy of n can be used, if n has one. It gives up after a timeout,
// unless that is 0, and at once if the proxy does not want us. The error is about what.
func awaitProxy(ctx context.Context, c *console, n *swarmnode.Network, timeout timeValue,
	what string) error {
	short, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		short, cancel = context.WithTimeout(ctx, time.Duration(timeout))
	}
	defer cancel()
	err := n.AwaitProxy(short, func(err error) {
		c.warn("waiting for the proxy: nothing leaves past it (%v)", err)
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, swarmnode.ErrProxyCredentials):
		return fail(exitNetwork, "--proxy", err)
	case ended(ctx) != nil:
		return ended(ctx)
	}
	return failWithHint(exitNetwork, what, fmt.Errorf("after %s: the proxy cannot be used",
		formatDuration(time.Duration(timeout))), "again, when the proxy can be used")
}
