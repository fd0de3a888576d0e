//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"swarmnode/bench/figures"
	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	natTitle = "4 MiB between two homes of 20 Mbit/s, round trip 40 ms, that know a third peer " +
		"without data, or the DHT alone: seconds to the first data, and to all"
	natRate  = 20.0
	natDelay = 5 * time.Millisecond // each way on each of the two links
	natSize  = 4 << 20
	natPiece = 64 << 10
	// natMax is how long a downloader may take.
	natMax  = time.Minute
	natLook = 50 * time.Millisecond
	// natLead is how long a seed has been in the DHT when the downloader starts.
	natLead = 10 * time.Second
	// natWarm is how long libtorrent has been in the DHT when it is told of the torrent. It
	// takes another id as soon as it learns its address outside, and searches that it began
	// before find nobody.
	natWarm = 5 * time.Second
	// natNodes is how many public nodes the DHT has.
	natNodes = 3
	// introduceMax bounds the wait for the seed at the third peer.
	introduceMax = 30 * time.Second
)

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

// A natFigure is the outcome of one transfer. Zero times: never.
type natFigure struct {
	first, all time.Duration
}

// natSeats returns the pairs of clients: every one in either seat. Transmission and aria2
// cannot be told of a peer.
func natSeats(contenders []contender) [][2]string {
	var clients []string
	for _, c := range contenders {
		takes := c.client == node || realclient.Kind(c.client).TakesPeers()
		if takes && !slices.Contains(clients, c.client) {
			clients = append(clients, c.client)
		}
	}
	var seats [][2]string
	for _, seed := range clients {
		for _, leech := range clients {
			seats = append(seats, [2]string{seed, leech})
		}
	}
	return seats
}

func measureNAT(ctx context.Context, opt options, contenders []contender) error {
	seats := natSeats(contenders)
	fmt.Printf("%-35s %-5s", "NAT of the seed / the downloader", "by")
	for _, s := range seats {
		fmt.Printf(" %22s", strings.Join(s[:], "-"))
	}
	fmt.Println()
	for _, p := range natPairs {
		if !strings.Contains(p.name, opt.pair) {
			continue
		}
		if p.offers {
			if _, err := realclient.ServerInstalled(realclient.Miniupnpd); err != nil {
				fmt.Printf("left out: %s: %v\n", p.name, err)
				continue
			}
		}
		for _, dht := range []bool{false, true} {
			by := "peer"
			if dht {
				by = "DHT"
			}
			fmt.Printf("%-35s %-5s", p.name, by)
			for _, s := range seats {
				m, err := natMedian(ctx, opt, p, dht, s)
				if err != nil {
					return fmt.Errorf("%s by %s, %s: %w", p.name, by, strings.Join(s[:], "-"), err)
				}
				fmt.Printf(" %22v", m)
			}
			fmt.Println()
		}
	}
	return nil
}

// String is a cell of the table.
func (f natFigure) String() string {
	cell := func(d time.Duration) string {
		if d == 0 {
			return "never"
		}
		return fmt.Sprintf("%.1f", d.Seconds())
	}
	if f.first == 0 {
		return cell(0)
	}
	return cell(f.first) + " / " + cell(f.all)
}

// natMedian measures a pair several times. Once most runs had no data, the rest is not
// run.
func natMedian(ctx context.Context, opt options, p natPair, dht bool,
	seats [2]string) (natFigure, error) {
	var runs []natFigure
	nevers := 0
	for 2*nevers <= opt.runs && len(runs) < opt.runs {
		f, err := natRun(ctx, opt, p, dht, seats)
		if err != nil {
			return natFigure{}, err
		}
		runs = append(runs, f)
		if f.first == 0 {
			nevers++
		}
	}
	if 2*nevers > opt.runs {
		return natFigure{}, nil
	}
	return natMiddle(runs), nil
}

// natMiddle returns the medians of runs. Never is later than any time.
func natMiddle(runs []natFigure) natFigure {
	median := func(of func(f natFigure) time.Duration) time.Duration {
		m := figures.MedianOf(runs, func(f natFigure) time.Duration {
			return cmp.Or(of(f), math.MaxInt64)
		})
		return m % math.MaxInt64
	}
	return natFigure{
		first: median(func(f natFigure) time.Duration { return f.first }),
		all:   median(func(f natFigure) time.Duration { return f.all }),
	}
}

// natRun makes one transfer.
func natRun(ctx context.Context, opt options, p natPair, dht bool, seats [2]string) (f natFigure,
	err error) {
	err = inLab(func(l *lab.Lab, dir string) error {
		seed, leech, err := p.place(l)
		if err != nil {
			return err
		}
		s, err := newShare(filepath.Join(dir, "share"), natSize, natPiece)
		if err != nil {
			return err
		}
		defer s.close()
		meeting, err := s.meet(ctx, opt, l, dht)
		defer meeting.stop()
		if err != nil {
			return err
		}
		from, err := s.join(ctx, opt, meeting, seats[0], seed, s.content(), s.torrent.File)
		if err != nil {
			return err
		}
		defer from.stop()
		if err := meeting.settle(ctx); err != nil {
			return err
		}
		to, err := s.join(ctx, opt, meeting, seats[1], leech,
			filepath.Join(s.dir, leech.Name, "data"), s.torrent.Magnet)
		if err != nil {
			return err
		}
		defer to.stop()
		f, err = natFollow(ctx, to, leech)
		return err
	})
	return f, err
}

// natFollow watches a download until it is complete, or natMax is over.
func natFollow(ctx context.Context, m *member, at *lab.Host) (f natFigure, err error) {
	tick := time.NewTicker(natLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return f, ctx.Err()
		case <-tick.C:
		}
		took := time.Since(m.started)
		if took > natMax {
			return f, nil
		}
		came, err := at.Came()
		if err != nil {
			return f, err
		}
		if came >= firstBytes && f.first == 0 {
			f.first = took
		}
		_, _, complete, err := m.have(ctx)
		if err != nil {
			return f, err
		}
		if complete {
			f.all = took
			return f, nil
		}
	}
}

// A meeting is how the two find each other: a third peer, or a DHT.
type meeting struct {
	third *realclient.Client // nil: the DHT
	nodes []*nodeproc.Node
	addrs []netip.AddrPort // of the third peer, or of the nodes
}

// meet starts a meeting in the internet. The caller must stop it, also after an error.
func (s *share) meet(ctx context.Context, opt options, l *lab.Lab, dht bool) (*meeting, error) {
	m := &meeting{}
	hosts := 1
	if dht {
		hosts = natNodes
	}
	for i := range hosts {
		h, err := l.Modelled(fmt.Sprintf("public%d", i), lab.Way{}, lab.Way{})
		if err != nil {
			return m, err
		}
		m.addrs = append(m.addrs, netip.AddrPortFrom(h.Addr, port))
		if !dht {
			return m, s.introducer(ctx, m, h)
		}
		words := append(h.Enter(), opt.node, "bootstrap", "--port", fmt.Sprint(port))
		if i == 0 {
			words = append(words, "--bootstrap", "none")
		}
		for _, a := range m.addrs[:i] {
			words = append(words, "--bootstrap", a.String())
		}
		n, err := nodeproc.Start(words[0], filepath.Join(s.dir, h.Name), words[1:]...)
		if err != nil {
			return m, err
		}
		m.nodes = append(m.nodes, n)
		if _, err := n.WaitEvent(ctx, "start"); err != nil {
			return m, err
		}
	}
	return m, nil
}

// introducer starts the third peer.
func (s *share) introducer(ctx context.Context, m *meeting, h *lab.Host) (err error) {
	state, data, err := s.folders(h)
	if err != nil {
		return err
	}
	m.third, err = realclient.Launch(ctx, realclient.Libtorrent, realclient.Options{
		IP: h.Addr, Port: port, Dir: state, Enter: h.Enter(), Idle: true,
		Settings: natSettings(),
	})
	if err != nil {
		return err
	}
	return m.third.Seed(ctx, s.torrent.File, data)
}

// natSettings let libtorrent listen everywhere, with its own defaults.
func natSettings() map[string]any {
	return map[string]any{
		"listen_interfaces": fmt.Sprintf("0.0.0.0:%d", port), "outgoing_interfaces": "",
		"allow_multiple_connections_per_ip": false, "enable_lsd": true, "enable_upnp": true,
		"enable_natpmp": true,
	}
}

// settle waits until the seed can be found.
func (m *meeting) settle(ctx context.Context) error {
	if m.third == nil {
		return pause(ctx, natLead)
	}
	for began := time.Now(); ; {
		p, err := m.third.Progress(ctx)
		if err != nil || p.Peers > 0 {
			return err
		}
		if time.Since(began) > introduceMax {
			return errors.New("the seed does not come to the third peer")
		}
		if err := pause(ctx, natLook); err != nil {
			return err
		}
	}
}

func (m *meeting) stop() {
	if m.third != nil {
		m.third.Close()
	}
	for _, n := range m.nodes {
		n.Stop()
	}
}

// join starts a client that takes part in the torrent by the meeting.
func (s *share) join(ctx context.Context, opt options, by *meeting, client string, h *lab.Host,
	data, source string) (*member, error) {
	state, _, err := s.folders(h)
	if err != nil {
		return nil, err
	}
	if client == node {
		words := append(h.Enter(), opt.node, "add", "--seed", "--port", fmt.Sprint(port), "--dir",
			data)
		flag := "--bootstrap"
		if by.third != nil {
			words = append(words, "--no-dht")
			flag = "--peer"
		}
		for _, a := range by.addrs {
			words = append(words, flag, a.String())
		}
		m := &member{started: time.Now()}
		m.node, err = nodeproc.Start(words[0], state, append(words[1:], source)...)
		return m, err
	}
	o := realclient.Options{IP: h.Addr, Port: port, Dir: state, Enter: h.Enter(),
		Settings: natSettings()}
	if by.third == nil {
		o.Bootstrap = by.addrs
	}
	m := &member{}
	if m.client, err = realclient.Launch(ctx, realclient.Kind(client), o); err != nil {
		return nil, err
	}
	if err := by.enter(ctx, m, source, data); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// enter tells a client that was launched of the torrent, and of the third peer.
func (m *meeting) enter(ctx context.Context, who *member, source, data string) error {
	if m.third == nil {
		if err := pause(ctx, natWarm); err != nil {
			return err
		}
		return who.give(ctx, source, data)
	}
	if err := who.give(ctx, source, data); err != nil {
		return err
	}
	return who.client.Connect(ctx, m.addrs[0])
}
