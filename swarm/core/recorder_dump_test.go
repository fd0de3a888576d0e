package core

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/limit"
)

// dumpOf returns the dump of a torrent.
func dumpOf(t *testing.T, torrent *Torrent) string {
	t.Helper()
	var b bytes.Buffer
	if err := torrent.WriteEvents(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// replayOf reads and replays a dump.
func replayOf(t *testing.T, text string, w io.Writer) Replayed {
	t.Helper()
	d, err := ReadDump(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	r, err := d.Replay(w)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each dialogue of testdata replays with the same actions, unless hashes of a tree are part
// of it.
func TestScriptsReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	exact := 0
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{t: t}
			s.run(string(text))
			var transcript strings.Builder
			dump := dumpOf(t, s.torrent)
			r := replayOf(t, dump, &transcript)
			switch {
			case r.Broken != nil, r.Partial:
				t.Errorf("partial %v, broken %v\n%s", r.Partial, r.Broken, &transcript)
			case r.Inexact:
			case r.Differs != 0:
				t.Errorf("differs before event %d of %d\n%s\n%s", r.Differs, r.Events, &transcript,
					dump)
			default:
				exact++
			}
		})
	}
	if exact < len(files)*3/4 {
		t.Errorf("only %d of %d dialogues replay exactly", exact, len(files))
	}
}

// A dump tells nothing of who and what: no address, no name, no peer id.
func TestDumpTellsNobody(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=3 magnet seed=1\nfound 81.2.69.142:6881\nfound [2a02:8071:1::5]:51413\n" +
		"connect 1 81.2.69.142:6881 out id=-qB4650-secretsecret\n" +
		"1 extended size=100\n1 pex 81.2.69.143:6881 81.2.70.1:80")
	dump := dumpOf(t, s.torrent)
	for _, secret := range []string{"81.2.", "2a02:8071", "736563726574", "secret", "test\"",
		s.info.Hash().String(), "5102458e"} {
		if strings.Contains(dump, secret) {
			t.Errorf("the dump has %q:\n%s", secret, dump)
		}
	}
	for _, kept := range []string{"torrent hash=" + s.info.Hash().Short(), "2d7142343635302d",
		"20.0.0.1:6881", "[2a00::1]:51413"} {
		if !strings.Contains(dump, kept) {
			t.Errorf("the dump lacks %q:\n%s", kept, dump)
		}
	}
}

// An address in disguise has what the core concludes from the real one, and which hosts and
// networks two addresses share.
func TestDisguiseKeepsWhatCounts(t *testing.T) {
	d := newDisguise()
	var real, hidden []netip.Addr
	for _, s := range []string{"81.2.69.1", "81.2.69.2", "81.2.70.1", "5.6.7.8", "10.1.2.3",
		"10.1.2.4", "10.9.2.3", "192.168.1.7", "172.20.0.1", "169.254.7.7", "100.70.1.1",
		"127.0.0.1", "127.0.0.9", "224.0.0.1", "0.0.0.0", "2a02:8071:1:2::5", "2a02:8071:1:2::6",
		"2a02:8071:1:3::6", "2a02:8071:2::6", "fe80::99", "fd00:1:2:3::4", "fec0::9", "::1",
		"64:ff9b::505:505"} {
		real = append(real, netip.MustParseAddr(s))
	}
	for _, ip := range real {
		hidden = append(hidden, d.addr(ip))
	}
	for k, a := range real {
		h := hidden[k]
		if limit.Unwrap(a).Is4() != h.Is4() || book.Local(a) != book.Local(h) ||
			a.IsLinkLocalUnicast() != h.IsLinkLocalUnicast() || d.addr(a) != h {
			t.Errorf("%v becomes %v", a, h)
		}
		at, hid := endpoint.IP(netip.AddrPortFrom(a, 80)), endpoint.IP(netip.AddrPortFrom(h, 80))
		if book.Usable(at) != book.Usable(hid) {
			t.Errorf("%v is as usable as %v", h, a)
		}
		if !kept(a) && limit.Unwrap(a) == h {
			t.Errorf("%v is not hidden", a)
		}
		for j, b := range real {
			g := hidden[j]
			source := limit.SourceOf(a) == limit.SourceOf(b)
			network := limit.NetworkOf(a) == limit.NetworkOf(b)
			if source != (limit.SourceOf(h) == limit.SourceOf(g)) ||
				network != (limit.NetworkOf(h) == limit.NetworkOf(g)) {
				t.Errorf("%v and %v share something else than %v and %v", a, b, h, g)
			}
		}
	}
}

// A dump that is damaged is refused in one clear line.
func TestReadDumpRefuses(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=3\nconnect 1 20.0.0.1:6881\n1 have-all")
	good := dumpOf(t, s.torrent)
	if _, err := ReadDump(bufio.NewReader(strings.NewReader(""))); !errors.Is(err, io.EOF) {
		t.Errorf("nothing at all: %v", err)
	}
	for _, c := range []struct{ was, is, want string }{
		{good, "#!/bin/sh\n", `it does not start with "swarmnode dump 1"`},
		{good, "swarmnode dump 1", "its last line is cut short"},
		{good, "swarmnode dump 1\n", "it ends after line 1"},
		{"dump 1\n", "dump 1\nnonsense\n", "line 2 of a torrent makes no sense"},
		{"seed=1", "seed=x", "makes no sense"},
		{"have-all", "have-most", "makes no sense"},
		{"piece=32768", "piece=0", "makes no sense"},
		{"pieces=3", "pieces=4", "makes no sense"},
		{"end actions", "the end", "makes no sense"},
		{good, "swarmnode dump 1\n" + strings.Repeat("x", dumpLineMax+1), "longer than"},
	} {
		text := strings.Replace(good, c.was, c.is, 1)
		_, err := ReadDump(bufio.NewReader(strings.NewReader(text)))
		if text == good || !errors.Is(err, ErrDump) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q for %.40q: %v, want %q", c.is, c.was, err, c.want)
		}
	}
}

// Another event than the recorded one leads to other actions, and the replay says where.
func TestReplaySaysWhatDiffers(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=3\nconnect 1 20.0.0.1:6881\n1 have-all\n1 unchoke\n1 block 0.0")
	good := dumpOf(t, s.torrent)
	if r := replayOf(t, good, nil); r.Differs != 0 || r.Events == 0 || r.Actions == 0 {
		t.Fatalf("%+v", r)
	}
	other := strings.Replace(good, "msg=unchoke", "msg=choke", 1)
	if r := replayOf(t, other, nil); r.Differs == 0 {
		t.Errorf("a choke instead of an unchoke: %+v", r)
	}
	other = strings.Replace(good, "digest=", "digest=1", 1)
	if r := replayOf(t, other, nil); r.Differs != r.Events+1 {
		t.Errorf("another digest in the end: %+v", r)
	}
}

// The rest of a record whose start was forgotten is replayed from what was there in the
// end.
func TestReplayOfAPart(t *testing.T) {
	s := &script{t: t}
	s.run("torrent pieces=4\nconnect 1 20.0.0.1:6881\n1 have-all\nconnect 2 20.0.1.1:6881\n" +
		"2 bitfield xx..\n1 unchoke\n1 block 2.0\n1 block 2.1\nverified 2")
	for range 40_000 {
		s.torrent.Step(s.now, Event{Kind: Sent, Peer: 2})
	}
	s.run("2 have 3")
	var transcript strings.Builder
	r := replayOf(t, dumpOf(t, s.torrent), &transcript)
	if !r.Partial || r.Broken != nil || r.End.PiecesHave != 1 || r.End.PeersConnected != 2 ||
		r.End.MetadataSize != len(s.info.Raw()) ||
		!strings.Contains(transcript.String(), "2 -> have 3") {
		t.Errorf("%+v, transcript of %d bytes", r, transcript.Len())
	}
}

// FuzzReplay: no file makes a replay panic or hang, and what was read can be replayed.
func FuzzReplay(f *testing.F) {
	for _, text := range []string{"torrent pieces=3\nconnect 1 20.0.0.1:6881\n1 have-all\n" +
		"1 unchoke\n1 block 0.0\n1 block 0.1\nverified 0",
		"torrent pieces=3 magnet\nfound 20.0.0.1:6881\nconnect 1 20.0.0.1:6881 out\n" +
			"1 extended size=114\n1 metadata data 0"} {
		s := &script{t: &testing.T{}}
		s.run(text)
		var b bytes.Buffer
		if err := s.torrent.WriteEvents(&b); err != nil {
			f.Fatal(err)
		}
		f.Add(b.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ReadDump(bufio.NewReader(strings.NewReader(text)))
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, ErrDump):
			return
		case err != nil:
			t.Fatal(err)
		}
		if d.shape.pieces > 1000 || len(d.entries) > 1000 {
			return
		}
		if _, err := d.Replay(io.Discard); err != nil && !errors.Is(err, ErrDump) {
			t.Fatal(err)
		}
	})
}

// Made-up metadata has the size and the pieces of the real one.
func TestMadeUpInfo(t *testing.T) {
	for size := 80; size < 1300; size++ {
		s := shape{known: true, pieceLength: 16384, pieces: 1, runs: []int64{100}, infoSize: size}
		info, err := s.info()
		if err != nil || len(info.Raw()) != size && size > 100 {
			t.Fatalf("of %d bytes: %d, %v", size, len(info.Raw()), err)
		}
	}
	padded := shape{known: true, pieceLength: 16384, pieces: 3,
		runs: []int64{100, 16284, 16384, 0, 7}}
	info, err := padded.info()
	if err != nil || info.Layout().Pieces() != 3 || info.Layout().ContentSize(0) != 100 {
		t.Errorf("%v", err)
	}
	wrong := shape{known: true, pieceLength: 16384, pieces: 5, runs: []int64{3}, infoSize: 200}
	if _, err := wrong.info(); !errors.Is(err, ErrDump) {
		t.Errorf("five pieces of three bytes: %v", err)
	}
}
