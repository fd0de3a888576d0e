//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	mappedTitle = "a seed behind a router that maps ports: seconds from its start until a host " +
		"outside reaches it, and from its exit until none does"
	mappedSize = 1 << 20
	// mappedMax is how long the host outside tries, and mappedTry how long it waits for an
	// answer. Nobody answers where nothing is mapped.
	mappedMax = 15 * time.Second
	mappedTry = 150 * time.Millisecond
	// mappedAfter is how long the host outside tries after the exit.
	mappedAfter = 3 * time.Second
)

// mappedRouters are the routers, by what they offer.
var mappedRouters = []struct {
	name   string
	offers lab.Offers
}{
	{"PCP", lab.Offers{PCP: true}},
	{"NAT-PMP", lab.Offers{NATPMP: true}},
	{"UPnP, IGD 2", lab.Offers{UPnP: true}},
	{"UPnP, IGD 1", lab.Offers{UPnP: true, OldIGD: true}},
	{"all of them", lab.Offers{PCP: true, NATPMP: true, UPnP: true}},
}

// A mappedFigure is the outcome of one run. Zero times: never.
type mappedFigure struct {
	tcp, udp time.Duration // until reached
	exit     time.Duration // what the exit took
	left     time.Duration // after the exit: the last time that the host at home answered
}

func measureMapped(ctx context.Context, opt options, _ []contender) error {
	if _, err := realclient.ServerInstalled(realclient.Miniupnpd); err != nil {
		fmt.Println("left out:", err)
		return nil
	}
	fmt.Printf("%-16s %9s %9s %9s %9s\n", "router offers", "TCP", "UDP", "exit took", "unmapped")
	for _, r := range mappedRouters {
		if !matches(r.name, opt.pair) {
			continue
		}
		var all []mappedFigure
		for range opt.runs {
			f, err := mappedRun(ctx, opt, r.offers)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			all = append(all, f)
		}
		fmt.Printf("%-16s %9s %9s %9.2f %9.2f\n", r.name,
			shown(middle(all, func(f mappedFigure) time.Duration { return f.tcp })),
			shown(middle(all, func(f mappedFigure) time.Duration { return f.udp })),
			seconds(all, func(f mappedFigure) time.Duration { return f.exit }),
			seconds(all, func(f mappedFigure) time.Duration { return f.left }))
	}
	return nil
}

// mappedRun starts a seed and ends it.
func mappedRun(ctx context.Context, opt options, offers lab.Offers) (f mappedFigure, err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		home, err := behind(l, "seed", lab.RouterConfig{Offers: offers})
		if err != nil {
			return err
		}
		outside, err := l.Modelled("outside", lab.Way{}, lab.Way{})
		if err != nil {
			return err
		}
		content := filepath.Join(dir, "content.bin")
		if err := os.WriteFile(content, make([]byte, mappedSize), 0o644); err != nil {
			return err
		}
		words := append(home.Enter(), opt.node, "seed", "--port", fmt.Sprint(port),
			"--bootstrap", "none", "-v", "-v", content)
		m := &member{started: time.Now()}
		m.node, err = nodeproc.Start(words[0], filepath.Join(dir, "state"), words[1:]...)
		if err != nil {
			return err
		}
		defer m.stop()
		at := netip.AddrPortFrom(home.Outside(), port)
		if err := f.reach(ctx, outside, at, m.started); err != nil {
			return err
		}
		stopped := time.Now()
		m.stop()
		f.exit = time.Since(stopped)
		if err := f.watch(ctx, outside, at, time.Now()); err != nil {
			return err
		}
		return opt.keepLogs("mapped "+fmt.Sprintf("%+v", offers), m)
	})
	return f, err
}

// reach tries until the seed answers by both transports.
func (f *mappedFigure) reach(ctx context.Context, from *lab.Host, at netip.AddrPort,
	began time.Time) error {
	for (f.tcp == 0 || f.udp == 0) && time.Since(began) < mappedMax && ctx.Err() == nil {
		for network, when := range map[string]*time.Duration{"tcp4": &f.tcp, "udp4": &f.udp} {
			if *when != 0 {
				continue
			}
			what, err := try(from, network, at)
			if err != nil {
				return err
			}
			if what == answered {
				*when = time.Since(began)
			}
		}
	}
	return ctx.Err()
}

// watch tries for a while after the exit. A mapping that is left leads to the host at home,
// which turns everybody down.
func (f *mappedFigure) watch(ctx context.Context, from *lab.Host, at netip.AddrPort,
	exit time.Time) error {
	for time.Since(exit) < mappedAfter && ctx.Err() == nil {
		for _, network := range []string{"tcp4", "udp4"} {
			what, err := try(from, network, at)
			if err != nil {
				return err
			}
			if what != nothing {
				f.left = time.Since(exit)
			}
		}
	}
	return ctx.Err()
}

// What a try meets.
type outcome int

const (
	nothing outcome = iota
	turnedDown
	answered
)

// ping is a query of the DHT (BEP 5).
const ping = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"

// try looks whether somebody answers at an endpoint.
func try(from *lab.Host, network string, at netip.AddrPort) (what outcome, err error) {
	var met error
	err = from.Do(func() error {
		c, err := net.DialTimeout(network, at.String(), mappedTry)
		if err != nil {
			met = err
			return nil
		}
		defer c.Close()
		if network == "tcp4" {
			return nil
		}
		met = exchange(c)
		return nil
	})
	switch {
	case err != nil:
		return nothing, err
	case met == nil:
		return answered, nil
	case errors.Is(met, syscall.ECONNREFUSED):
		return turnedDown, nil
	}
	return nothing, nil
}

// exchange sends a query and waits for an answer.
func exchange(c net.Conn) error {
	if _, err := c.Write([]byte(ping)); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(mappedTry)); err != nil {
		return err
	}
	var buf [1500]byte
	_, err := c.Read(buf[:])
	return err
}
