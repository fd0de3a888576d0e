//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// meetLead is how long a seed has been in the DHT when the downloader starts.
	meetLead = 10 * time.Second
	// meetWarm is how long libtorrent has been in the DHT when it is told of the torrent. It
	// takes another id as soon as it learns its address outside, and searches that it began
	// before find nobody.
	meetWarm = 5 * time.Second
	// meetNodes is how many public nodes the DHT has.
	meetNodes = 4
	// meetRelays is how many of them shall serve everybody as relays before anybody comes, and
	// relaysMax bounds the wait for them.
	meetRelays = 2
	relaysMax  = 5 * time.Second
	// introduceMax bounds the wait for the seed at the third peer.
	introduceMax = 30 * time.Second
)

// A means says what two peers know that do not know each other.
type means struct {
	name   string
	third  bool // a public peer that has nothing and fetches nothing
	dht    bool // public nodes of the DHT
	relays bool // which relay as well, if they can
}

// A meeting is what a means consists of.
type meeting struct {
	means means
	third *realclient.Client
	peer  netip.AddrPort // the third peer; not valid without one
	nodes []*nodeproc.Node
	boots []netip.AddrPort // the nodes of the DHT
	// flags are further ones of every node, such as relays.
	flags []string
	turns []turn // they end with the lab
}

// meet starts a meeting in the internet. The caller must stop it, also after an error.
func (s *share) meet(ctx context.Context, opt options, l *lab.Lab, by means) (*meeting, error) {
	m := &meeting{means: by}
	if by.third {
		h, err := l.Modelled("third", lab.Way{}, lab.Way{})
		if err != nil {
			return m, err
		}
		if err := s.introducer(ctx, m, h); err != nil {
			return m, err
		}
	}
	if !by.dht {
		return m, nil
	}
	for i := range meetNodes {
		h, err := l.Modelled(fmt.Sprintf("public%d", i), lab.Way{}, lab.Way{})
		if err != nil {
			return m, err
		}
		if err := m.bootstrap(ctx, opt, h, filepath.Join(s.dir, h.Name)); err != nil {
			return m, err
		}
	}
	if by.relays && opt.relays {
		return m, m.proven(ctx)
	}
	return m, nil
}

// proven waits until some nodes have been proven public, as relays in a large DHT have been
// for long.
func (m *meeting) proven(ctx context.Context) error {
	for began := time.Now(); time.Since(began) < relaysMax; {
		relays := 0
		for _, n := range m.nodes {
			var state struct{ Open []string }
			e, ok := n.Last("relay")
			if ok && json.Unmarshal([]byte(e.Raw), &state) == nil && len(state.Open) > 0 {
				relays++
			}
		}
		if relays >= meetRelays {
			return nil
		}
		if err := pause(ctx, natLook); err != nil {
			return err
		}
	}
	return nil
}

// bootstrap starts a node of the DHT on a public host.
func (m *meeting) bootstrap(ctx context.Context, opt options, h *lab.Host, state string) error {
	words := append(h.Enter(), opt.node, "bootstrap", "--port", fmt.Sprint(port))
	if m.means.relays && opt.relays {
		words = append(words, "--relay")
	}
	if len(m.boots) == 0 {
		words = append(words, "--bootstrap", "none")
	}
	for _, a := range m.boots {
		words = append(words, "--bootstrap", a.String())
	}
	n, err := nodeproc.Start(words[0], state, words[1:]...)
	if err != nil {
		return err
	}
	m.nodes = append(m.nodes, n)
	m.boots = append(m.boots, netip.AddrPortFrom(h.Addr, port))
	_, err = n.WaitEvent(ctx, "start")
	return err
}

// introducer starts the third peer.
func (s *share) introducer(ctx context.Context, m *meeting, h *lab.Host) (err error) {
	state, data, err := s.folders(h)
	if err != nil {
		return err
	}
	m.third, err = realclient.Launch(ctx, realclient.Libtorrent, realclient.Options{
		IP: h.Addr, Port: port, Dir: state, Enter: h.Enter(), Idle: true,
		Settings: homeSettings(),
	})
	if err != nil {
		return err
	}
	m.peer = netip.AddrPortFrom(h.Addr, port)
	return m.third.Seed(ctx, s.torrent.File, data)
}

// homeSettings let libtorrent listen everywhere, with its own defaults.
func homeSettings() map[string]any {
	return map[string]any{
		"listen_interfaces": fmt.Sprintf("0.0.0.0:%d", port), "outgoing_interfaces": "",
		"allow_multiple_connections_per_ip": false, "enable_lsd": true, "enable_upnp": true,
		"enable_natpmp": true,
	}
}

// settle waits until the seed can be found.
func (m *meeting) settle(ctx context.Context) error {
	if m.means.dht {
		if err := pause(ctx, meetLead); err != nil {
			return err
		}
	}
	if m.third == nil {
		return nil
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

// A joining is a client that is to take part in the torrent of a meeting.
type joining struct {
	client   string
	at       *lab.Host
	data     string         // the folder of the content
	source   string         // a file or a magnet link
	flags    []string       // of the node
	settings map[string]any // of libtorrent
}

// join starts a client that takes part in the torrent by the meeting.
func (s *share) join(ctx context.Context, opt options, by *meeting, j joining) (*member, error) {
	state, _, err := s.folders(j.at)
	if err != nil {
		return nil, err
	}
	if j.client == node {
		words := append(j.at.Enter(), opt.node, "add", "--seed", "--port", fmt.Sprint(port),
			"--dir", j.data, "-v", "-v")
		words = append(append(words, by.words()...), j.flags...)
		m := &member{started: time.Now()}
		m.node, err = nodeproc.Start(words[0], state, append(words[1:], j.source)...)
		return m, err
	}
	o := realclient.Options{IP: j.at.Addr, Port: port, Dir: state, Enter: j.at.Enter(),
		Settings: homeSettings(), Bootstrap: by.boots}
	maps.Copy(o.Settings, j.settings)
	m := &member{}
	if m.client, err = realclient.Launch(ctx, realclient.Kind(j.client), o); err != nil {
		return nil, err
	}
	if err := by.enter(ctx, m, j); err != nil {
		m.stop()
		return nil, err
	}
	return m, nil
}

// pair starts a seed and a downloader at two hosts, as with says, which names neither. The caller
// stops both, also after an error.
func (s *share) pair(ctx context.Context, opt options, by *meeting, seats [2]string,
	at [2]*lab.Host, with joining) (from, to *member, err error) {
	from, to = &member{}, &member{}
	with.client, with.at, with.data, with.source = seats[0], at[0], s.content(), s.torrent.File
	m, err := s.join(ctx, opt, by, with)
	if err != nil {
		return from, to, err
	}
	from = m
	if err := by.settle(ctx); err != nil {
		return from, to, err
	}
	with.client, with.at, with.data, with.source = seats[1], at[1],
		filepath.Join(s.dir, at[1].Name, "data"), s.torrent.Magnet
	if m, err = s.join(ctx, opt, by, with); err == nil {
		to = m
	}
	return from, to, err
}

// words are the flags by which a node finds the meeting.
func (m *meeting) words() []string {
	words := slices.Clone(m.flags)
	if m.peer.IsValid() {
		words = append(words, "--peer", m.peer.String())
	}
	if len(m.boots) == 0 {
		words = append(words, "--no-dht")
	}
	for _, a := range m.boots {
		words = append(words, "--bootstrap", a.String())
	}
	return words
}

// enter tells a client that was launched of the torrent, and of the third peer.
func (m *meeting) enter(ctx context.Context, who *member, j joining) error {
	if m.means.dht {
		if err := pause(ctx, meetWarm); err != nil {
			return err
		}
	}
	if err := who.give(ctx, j.source, j.data); err != nil || m.third == nil {
		return err
	}
	return who.client.Connect(ctx, m.peer)
}
