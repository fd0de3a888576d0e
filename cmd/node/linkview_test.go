package main

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode/metainfo"
)

// A linkTest lets time pass in front of a linkView.
type linkTest struct {
	t    *testing.T
	v    *linkView
	now  time.Time
	json bool
}

// local is what the local network knows.
func (x *linkTest) local() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("192.168.1.2:6881")}
}

// after returns what was told while the ways in were the same for some seconds.
func (x *linkTest) after(seconds int, ways ...string) string {
	x.t.Helper()
	c, stdout, stderr := testConsole()
	c.json = x.json
	var list []netip.AddrPort
	for _, w := range ways {
		list = append(list, netip.MustParseAddrPort(w))
	}
	for range seconds {
		x.now = x.now.Add(time.Second)
		x.v.look(x.now, c, list, x.local)
	}
	if x.json {
		return stdout.String()
	}
	if stdout.Len() > 0 {
		x.t.Errorf("standard output has %s", stdout)
	}
	return stderr.String()
}

// newLinkTest returns a test of a view whose links name some addresses first.
func newLinkTest(t *testing.T, links int, named ...string) *linkTest {
	x := &linkTest{t: t, now: time.Unix(1000, 0)}
	x.v = newLinkView(x.now, named, func(info *metainfo.Info) metainfo.Magnet {
		return metainfo.NewTorrent(info).Magnet()
	})
	for i := range links {
		info, err := metainfo.ParseInfo(fmt.Appendf(nil, "d6:lengthi1e4:name2:%02d12:piece length"+
			"i16384e6:pieces20:%020de", i, i))
		if err != nil {
			t.Fatal(err)
		}
		x.v.add(info)
	}
	return x
}

// People get a second link once the ways in are known, and another one when they change.
func TestSecondLink(t *testing.T) {
	x := newLinkTest(t, 1)
	if told := x.after(1) + x.after(2, "9.9.9.9:6881"); told != "" {
		t.Errorf("told too early: %s", told)
	}
	told := x.after(5, "9.9.9.9:6881")
	if strings.Count(told, "magnet:") != 1 || !strings.Contains(told, "x.pe=9.9.9.9:6881") {
		t.Errorf("told %q", told)
	}
	m, err := metainfo.ParseMagnet(strings.TrimSpace(told[strings.Index(told, "magnet:"):]))
	if err != nil || len(m.Peers) != 1 || m.Peers[0] != "9.9.9.9:6881" {
		t.Errorf("the link names %v, %v", m.Peers, err)
	}
	if told := x.after(20, "9.9.9.10:6881"); told != "" {
		t.Errorf("told too often: %s", told)
	}
	told = x.after(60, "9.9.9.10:6881", "127.0.0.1:5", "169.254.1.1:80")
	if strings.Count(told, "x.pe") != 1 || !strings.Contains(told, "x.pe=9.9.9.10:6881") {
		t.Errorf("told %q", told)
	}
}

// Without a way in from the internet, the link names the local network after a while.
func TestSecondLinkOfALocalNetwork(t *testing.T) {
	x := newLinkTest(t, 1)
	if told := x.after(9); told != "" {
		t.Errorf("told too early: %s", told)
	}
	if told := x.after(5); !strings.Contains(told, "to its local network: magnet:") ||
		!strings.Contains(told, "x.pe=192.168.1.2:6881") {
		t.Errorf("told %q", told)
	}
	// A link for everybody does not wait for a minute behind one for the local network.
	if told := x.after(5, "9.9.9.9:1"); !strings.Contains(told, "also names this node: magnet:") ||
		!strings.Contains(told, "x.pe=9.9.9.9:1") || strings.Contains(told, "192.168") {
		t.Errorf("told %q", told)
	}
	if told := x.after(40) + x.after(8, "9.9.9.9:2"); told != "" {
		t.Errorf("told too often: %q", told)
	}
}

// A first link that names everything is not told again.
func TestOneLinkIsEnough(t *testing.T) {
	x := newLinkTest(t, 1, "192.168.1.2:6881", "9.9.9.9:6881")
	if told := x.after(20, "9.9.9.9:6881") + x.after(20); told != "" {
		t.Errorf("told %q", told)
	}
	var none *linkView
	c, _, _ := testConsole()
	none.add(nil)
	none.look(x.now, c, nil, x.local)
}

// Programs get every link, people the first ones.
func TestManySecondLinks(t *testing.T) {
	x := newLinkTest(t, linksShown+2)
	told := x.after(9, "9.9.9.9:6881")
	if strings.Count(told, "magnet:") != linksShown || !strings.Contains(told, "2 more links") {
		t.Errorf("told %q", told)
	}
	x = newLinkTest(t, linksShown+2)
	x.json = true
	told = x.after(9, "9.9.9.9:6881")
	if strings.Count(told, `"event":"link"`) != linksShown+2 ||
		!strings.Contains(told, `"peers":["9.9.9.9:6881"]`) {
		t.Errorf("told %q", told)
	}
}
