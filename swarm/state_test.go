package swarm

import (
	"context"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/core"
)

// newBubbleEngine returns an Engine without ports, for tests on a virtual clock.
func newBubbleEngine(t *testing.T) *Engine {
	t.Helper()
	e := start(Config{PeerIDPrefix: defaultPeerIDPrefix, MemoryMax: 6 << 20,
		Logger: slog.New(slog.DiscardHandler)}, nil)
	t.Cleanup(func() { e.Close() })
	return e
}

// addLink adds the torrent of a link that nobody answers. It is paused, so that nothing is
// dialled: the real network knows nothing of a virtual clock.
func addLink(t *testing.T, e *Engine, n byte) *Torrent {
	t.Helper()
	torrent, err := e.Add(Spec{Magnet: metainfo.Magnet{V1: metainfo.Hash{n}, HasV1: true},
		Dir: t.TempDir(), Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	return torrent
}

// TestSameState: two states say the same only if each field does that the loop publishes,
// and what it publishes is kept.
func TestSameState(t *testing.T) {
	late := map[string]bool{ // State asks others for them, or they follow from others
		"Checked": true, "CheckTotal": true, "CheckHeld": true, "Dir": true, "Moved": true,
		"MoveTotal": true, "Fault": true, "Limits": true, "Trackers": true,
	}
	for i := range reflect.TypeFor[State]().NumField() {
		name := reflect.TypeFor[State]().Field(i).Name
		if late[name] {
			delete(late, name)
			continue
		}
		var s, zero, again State
		fill(reflect.ValueOf(&s).Elem().Field(i))
		if same := s.same(&zero); same != (name == "Totals") { // they change with others
			t.Errorf("another %s counts as the same: %v", name, same)
		}
		var kept keptState
		kept.keep(time.Now(), &s)
		if kept.give(&again); !reflect.DeepEqual(s, again) || !s.same(&again) {
			t.Errorf("%s is not kept", name)
		}
	}
	for name := range late {
		t.Errorf("there is no %s", name)
	}
}

// fill sets a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString("x")
	case reflect.Uint8:
		v.SetUint(1)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(1e9, 0)))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Array:
		fill(v.Index(0))
	case reflect.Interface: // an error
		v.Set(reflect.ValueOf(ErrNoInfo))
	case reflect.Map:
	default:
		v.SetInt(1)
	}
}

// hearOf adds the addresses of n peers that nobody can reach.
func hearOf(t *Torrent, from, n int) {
	for i := range n {
		t.AddPeer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(from + i)}), 1))
	}
}

// TestStateIsPublished: what happens is in the state at once if nothing else happened just
// before, and else after a tenth of a second.
func TestStateIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		torrent := addLink(t, e, 1)
		known := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := torrent.State().PeersKnown; got != want {
				t.Errorf("the state has %d peers, want %d", got, want)
			}
		}
		time.Sleep(time.Second)
		hearOf(torrent, 0, 1)
		known(1)
		hearOf(torrent, 1, 1)
		known(1) // the last state is too young
		time.Sleep(publishEvery)
		known(2)
	})
}

// TestStateBeforeAndAfter: a torrent has a state before its loop runs and after its end.
func TestStateBeforeAndAfter(t *testing.T) {
	info := makeTorrent(t, t.TempDir())
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		for spec, want := range map[*Spec]Phase{
			{}:                                  Metadata,
			{Torrent: info}:                     Checking,
			{Torrent: info, MetadataOnly: true}: Metadata,
		} {
			if got := newTorrent(e, *spec, metainfo.Hash{}).State().Phase; got != want {
				t.Errorf("the phase of a torrent before its start is %v, want %v", got, want)
			}
		}
		torrent := addLink(t, e, 1)
		if s := torrent.State(); s.Phase != Paused || s.State != core.NeedInfo {
			t.Errorf("at the start: %+v", s)
		}
		hearOf(torrent, 0, 3)
		synctest.Wait()
		torrent.Close()
		if s := torrent.State(); s.Phase != Closed || s.PeersKnown != 3 {
			t.Errorf("at the end: %+v", s)
		}
	})
}

// TestCommandIsInTheNextState: a caller sees what its own command has changed, however
// young the last state is.
func TestCommandIsInTheNextState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		torrent := addLink(t, newBubbleEngine(t), 1)
		for i := range 10 {
			on := i%2 == 0
			if err := torrent.SetSequential(on); err != nil || torrent.State().Sequential != on {
				t.Fatalf("SetSequential(%v): %v, the state says %v", on, err, !on)
			}
		}
		torrent.Close()
		if err := torrent.SetSequential(true); err != ErrStopped {
			t.Error(err)
		}
	})
}

// TestRatesDecay: without any event, the published rates go down to 0, and then nothing is
// published any more.
func TestRatesDecay(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	info := makeTorrent(t, dir)
	synctest.Test(t, func(t *testing.T) {
		seeder, leecher := newBubbleEngine(t), newBubbleEngine(t)
		seed, err := seeder.Add(Spec{Torrent: info, Dir: dir, Complete: true})
		if err != nil {
			t.Fatal(err)
		}
		leech, err := leecher.Add(Spec{Torrent: info, Dir: out})
		if err != nil {
			t.Fatal(err)
		}
		(&liveSwarm{t: t, info: info}).introduce(seed, leech)
		<-leech.Done()
		if s := leech.State(); s.Phase != Seeding || s.Left != 0 ||
			s.Down < info.Info().Layout().Length {
			t.Errorf("complete, and the state is %+v", s)
		}
		time.Sleep(publishEvery)
		synctest.Wait()
		was := leech.State().DownRate
		for range 5 {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			is := leech.State().DownRate
			if was == 0 && is != 0 || was != 0 && is >= was {
				t.Errorf("the rate goes from %d to %d without a byte", was, is)
			}
			was = is
		}
		if was != 0 {
			t.Errorf("the rate stays %d", was)
		}
		quiet(t, leecher, time.Minute)
	})
}

// quiet fails the test if the feed of e tells of any change within some time.
func quiet(t *testing.T, e *Engine, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if c, err := e.Subscribe(e.feed.Seq()).Next(ctx); err == nil {
		t.Errorf("the feed has %+v", c)
	}
}

// TestFeedFollowsState: the phases of a torrent are in the feed, and its end is.
func TestFeedFollowsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEngine(t)
		s := e.Subscribe(0)
		next := func() Changes {
			t.Helper()
			c, err := s.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		torrent := addLink(t, e, 1)
		synctest.Wait()
		c := next()
		if !c.Reset || len(c.Torrents) != 1 || c.Torrents[0].Kinds&(Added|ChangedState) == 0 {
			t.Fatalf("at the start: %+v", c)
		}
		quiet(t, e, time.Hour)
		hearOf(torrent, 0, 1)
		if c = next(); len(c.Torrents) != 1 || c.Torrents[0] != (Change{torrent, ChangedState}) {
			t.Errorf("after an address: %+v", c)
		}
		torrent.fail(ErrNothingWanted)
		<-torrent.Done()
		if c = next(); len(c.Torrents)+len(c.Removed) == 0 {
			t.Errorf("after a failure: %+v", c)
		}
		gone := len(c.Removed) > 0
		torrent.Close()
		e.feed.Add(fedTorrent(e, 2)) // something to read in any case
		if c = next(); len(c.Removed) == 0 && !gone {
			t.Errorf("after the end: %+v", c)
		}
	})
}

// TestPublisherCountsOnce: each byte that was moved counts once for the engine, however often
// the state is published.
func TestPublisherCountsOnce(t *testing.T) {
	var p publisher
	var sum traffic
	for i, down := range []int64{0, 5, 5, 12, 12} {
		sum.add(p.since(down, 2*down))
		if sum.down.Load() != down || sum.up.Load() != 2*down {
			t.Errorf("after state %d the engine counts %d and %d bytes, want %d and %d", i,
				sum.down.Load(), sum.up.Load(), down, 2*down)
		}
		p.done(time.Duration(i), true)
	}
}
