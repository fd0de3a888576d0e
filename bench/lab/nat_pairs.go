//go:build linux

package main

import "swarmnode/internal/lab"

// The NATs of home routers, by their usual names.
var (
	fullCone = lab.NAT{Preserve: true}
	// portRestricted is what most home routers do.
	portRestricted = lab.NAT{Filtering: lab.AddressAndPortDependent, Preserve: true}
	// otherPorts is the same with other ports outside.
	otherPorts = lab.NAT{Filtering: lab.AddressAndPortDependent}
	symmetric  = lab.NAT{Mapping: lab.AddressAndPortDependent,
		Filtering: lab.AddressAndPortDependent}
	// carrier is what RFC 6888 asks of a carrier, and filters.
	carrier = lab.NAT{Filtering: lab.AddressAndPortDependent, Hairpin: true}
)

// A natPair is where the seed and the downloader are.
type natPair struct {
	name   string
	place  func(l *lab.Lab) (seed, leech *lab.Host, err error)
	offers bool // it needs miniupnpd
}

var natPairs = []natPair{
	{name: "public / port-restricted", place: fromPublic},
	{name: "full-cone / symmetric", place: apart(fullCone, symmetric)},
	{name: "port-restricted / port-restricted", place: apart(portRestricted, portRestricted)},
	{name: "other ports / other ports", place: apart(otherPorts, otherPorts)},
	{name: "port-restricted / symmetric", place: apart(portRestricted, symmetric)},
	{name: "symmetric / symmetric", place: apart(symmetric, symmetric)},
	{name: "ports mapped on request / symmetric", place: mapped, offers: true},
	{name: "behind one router", place: together},
	{name: "behind one carrier", place: oneCarrier},
}

// fromPublic places the seed in the internet.
func fromPublic(l *lab.Lab) (seed, leech *lab.Host, err error) {
	if seed, err = l.Modelled("seed", natWay, natWay); err != nil {
		return nil, nil, err
	}
	leech, err = behind(l, "leech", lab.RouterConfig{NAT: portRestricted})
	return seed, leech, err
}

// mapped places the seed behind a router that maps ports by every protocol.
func mapped(l *lab.Lab) (seed, leech *lab.Host, err error) {
	all := lab.Offers{PCP: true, NATPMP: true, UPnP: true}
	if seed, err = behind(l, "seed", lab.RouterConfig{Offers: all}); err != nil {
		return nil, nil, err
	}
	leech, err = behind(l, "leech", lab.RouterConfig{NAT: symmetric})
	return seed, leech, err
}

// together places the two at one home, without hairpin.
func together(l *lab.Lab) (seed, leech *lab.Host, err error) {
	router, err := l.Router("home", lab.RouterConfig{Up: natWay, Down: natWay,
		NAT: portRestricted})
	if err != nil {
		return nil, nil, err
	}
	if seed, err = router.Inside("seed"); err != nil {
		return nil, nil, err
	}
	leech, err = router.Inside("leech")
	return seed, leech, err
}

// oneCarrier places the two at homes of one carrier.
func oneCarrier(l *lab.Lab) (seed, leech *lab.Host, err error) {
	c, err := l.Router("carrier", lab.RouterConfig{NAT: carrier, Carrier: true})
	if err != nil {
		return nil, nil, err
	}
	cfg := lab.RouterConfig{NAT: portRestricted, Behind: c}
	if seed, err = behind(l, "seed", cfg); err != nil {
		return nil, nil, err
	}
	leech, err = behind(l, "leech", cfg)
	return seed, leech, err
}

var natWay = lab.Way{Rate: natRate, Delay: natDelay}

// behind adds a home with one host.
func behind(l *lab.Lab, name string, cfg lab.RouterConfig) (*lab.Host, error) {
	cfg.Up, cfg.Down = natWay, natWay
	router, err := l.Router(name+"-home", cfg)
	if err != nil {
		return nil, err
	}
	return router.Inside(name)
}

// apart places the two at homes of their own.
func apart(seed, leech lab.NAT) func(l *lab.Lab) (s, d *lab.Host, err error) {
	return func(l *lab.Lab) (s, d *lab.Host, err error) {
		if s, err = behind(l, "seed", lab.RouterConfig{NAT: seed}); err != nil {
			return nil, nil, err
		}
		d, err = behind(l, "leech", lab.RouterConfig{NAT: leech})
		return s, d, err
	}
}
