package blocklist

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// shown returns the ranges of a list as text.
func shown(l *List) string {
	var all []string
	for first, last := range l.Ranges() {
		all = append(all, first.String()+"-"+last.String())
	}
	return strings.Join(all, " ")
}

func compressed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		// P2P
		{"Some Corp:192.0.2.0-192.0.2.255", "192.0.2.0-192.0.2.255"},
		{":192.0.2.0-192.0.2.255", "192.0.2.0-192.0.2.255"},
		{"a-b: c, d - e:192.0.2.1 - 192.0.2.2", "192.0.2.1-192.0.2.2"},
		{"10.0.0.1-10.0.0.5 corp:192.0.2.1-192.0.2.2", "192.0.2.1-192.0.2.2"},
		{"10.0.0.1:192.0.2.1-192.0.2.2", "192.0.2.1-192.0.2.2"},
		{"six:2001:db8::-2001:db8::ff", "2001:db8::-2001:db8::ff"},
		{"b\xfccher:192.0.2.1-192.0.2.1", "192.0.2.1-192.0.2.1"},
		{"zeros:010.020.030.004-010.020.030.099", "10.20.30.4-10.20.30.99"},
		{"the other way:192.0.2.9-192.0.2.1", "odd"},
		{"mixed:192.0.2.9-2001:db8::", "odd"},
		{"no range:192.0.2.9", "odd"},
		{"more:192.0.2.1-192.0.2.2x", "odd"},
		// DAT
		{"192.000.002.001 - 192.000.002.009 , 000 , name", "192.0.2.1-192.0.2.9"},
		{"192.0.2.1-192.0.2.9,127,name", "192.0.2.1-192.0.2.9"},
		{"192.0.2.1 - 192.0.2.9 , 128 , name", "allowed"},
		{"192.0.2.1 - 192.0.2.9 , 255", "allowed"},
		{"192.0.2.1 - 192.0.2.9 , a name", "192.0.2.1-192.0.2.9"},
		{"192.0.2.1 - 192.0.2.9 ,", "192.0.2.1-192.0.2.9"},
		{"2001:db8::1 - 2001:db8::9 , 1 , name", "2001:db8::1-2001:db8::9"},
		{"192.0.2.9 - 192.0.2.1 , 0 , name", "odd"},
		// addresses and prefixes
		{"192.0.2.1", "192.0.2.1-192.0.2.1"},
		{"192.0.2.1 - 192.0.2.9", "192.0.2.1-192.0.2.9"},
		{"192.0.2.77/24", "192.0.2.0-192.0.2.255"},
		{"192.0.2.0/24 ; SBL1", "192.0.2.0-192.0.2.255"},
		{"192.0.2.0/24# why", "192.0.2.0-192.0.2.255"},
		{"192.0.2.1/32", "192.0.2.1-192.0.2.1"},
		{"0.0.0.0/0", "0.0.0.0-255.255.255.255"},
		{"::/0", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:DB8::/32", "2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"2001:db8::/64", "2001:db8::-2001:db8::ffff:ffff:ffff:ffff"},
		{"2001:db8::/127", "2001:db8::-2001:db8::1"},
		{"2001:db8::1", "2001:db8::1-2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.1-192.0.2.1"},
		{"255.255.255.255", "255.255.255.255-255.255.255.255"},
		{"::ffff:192.0.2.1-::ffff:192.0.2.9", "192.0.2.1-192.0.2.9"},
		{"::ffff:0:0/96", "odd"},
		{"192.0.2.0/33", "odd"},
		{"192.0.2.0/", "odd"},
		{"192.0.2.0/99999999999", "odd"},
		{"2001:db8::/129", "odd"},
		{"fe80::1%eth0", "odd"},
		{"192.0.2", "odd"},
		{"192.0.2.256", "odd"},
		{"192.0.2.1.1", "odd"},
		{"1920.0.2.1", "odd"},
		{"192.0..1", "odd"},
		{"192.0.2.1 example.org", "odd"},
		{"192.0.2.1:6881", "odd"},
		{"<html>", "odd"},
		{strings.Repeat("f:", 300), "odd"},
		{strings.Repeat("x:", 300) + "192.0.2.1-192.0.2.2", "192.0.2.1-192.0.2.2"},
		// nothing
		{"", "blank"}, {" \t ", "blank"}, {"# 192.0.2.1", "blank"}, {"; 192.0.2.1", "blank"},
		{"// 192.0.2.1", "blank"},
	} {
		var b Builder
		kind := b.line(bytes.TrimSpace([]byte(tt.line)))
		list, err := b.List()
		if err != nil {
			t.Fatal(err)
		}
		got := []string{"blank", shown(list), "allowed", "odd"}[kind]
		if got != tt.want || kind != lineBlocks && list.Len() > 0 {
			t.Errorf("%q: %s (%s), want %s", tt.line, got, shown(list), tt.want)
		}
	}
}

// A whole file of mixed lines, plain and compressed, with every kind of line ending.
func TestMixedList(t *testing.T) {
	text := "\xef\xbb\xbf# comment\r\nCorp:192.0.2.0-192.0.2.9\r\n" +
		"192.0.2.10 - 192.0.2.19 , 0 , next to it\n" + // one with the line before
		"what is this\n" + strings.Repeat("y", lineMax+10) + "\n" +
		"198.51.100.0/24\n10.0.0.1 - 10.0.0.9 , 200 , allowed\n\n2001:db8::/32"
	want := Report{Blocked: 4, Allowed: 1, Skipped: 2, FirstSkipped: 4}
	ranges := "192.0.2.0-192.0.2.19 198.51.100.0-198.51.100.255 " +
		"2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
	two := append(compressed(t, []byte(text[:50])), compressed(t, []byte(text[50:]))...)
	for name, b := range map[string][]byte{"plain": []byte(text), "gzip in two members": two,
		"gzip":  compressed(t, []byte(text)),
		"twice": compressed(t, compressed(t, []byte(text)))} {
		list, report, err := Parse(bytes.NewReader(b))
		if err != nil || report != want || shown(list) != ranges || list.Len() != 3 {
			t.Errorf("%s: %v, %+v, %v", name, shown(list), report, err)
		}
	}
}

// p2b makes a binary list.
func p2b(version byte, ranges ...[2]uint32) []byte {
	b := append(bytes.Clone(p2bMagic), version)
	if version == 3 {
		b = binary.BigEndian.AppendUint32(b, 2)
		b = append(b, "one\x00two\x00"...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(ranges)))
	}
	for _, r := range ranges {
		if version == 3 {
			b = binary.BigEndian.AppendUint32(b, 1)
		} else {
			b = append(b, "a name\x00"...)
		}
		b = binary.BigEndian.AppendUint32(b, r[0])
		b = binary.BigEndian.AppendUint32(b, r[1])
	}
	return b
}

func TestBinaryLists(t *testing.T) {
	for version := range byte(4) {
		file := p2b(version, [2]uint32{1, 2}, [2]uint32{9, 8}, [2]uint32{0xfffffffe, 0xffffffff})
		list, report, err := Parse(bytes.NewReader(file))
		if version == 0 {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("version 0: %v", err)
			}
			continue
		}
		want := Report{Blocked: 2, Skipped: 1, FirstSkipped: 2}
		if err != nil || report != want ||
			shown(list) != "0.0.0.1-0.0.0.2 255.255.255.254-255.255.255.255" {
			t.Errorf("version %d: %s, %+v, %v", version, shown(list), report, err)
		}
		if _, _, err := Parse(bytes.NewReader(file[:len(file)-1])); !errors.Is(err, ErrDamaged) {
			t.Errorf("version %d, cut off: %v", version, err)
		}
	}
}

func TestRefusedLists(t *testing.T) {
	gz := compressed(t, []byte("192.0.2.1\n"))
	const small = 1 << 20
	bomb := compressed(t, make([]byte, small+1))
	for _, tt := range []struct {
		name string
		file []byte
		want error
	}{
		{"empty", nil, ErrNothing},
		{"comments", []byte("# nothing\n\n"), ErrNothing},
		{"a web page", []byte("<html>\n<body>Not found</body>\n"), ErrNothing},
		{"zip", []byte("PK\x03\x04..."), ErrPacked},
		{"gzip three times", compressed(t, compressed(t, gz)), ErrPacked},
		{"gzip cut off", gz[:len(gz)-9], ErrDamaged},
		{"gzip with another checksum", append(bytes.Clone(gz[:len(gz)-8]), 1, 2, 3, 4, 10, 0, 0, 0),
			ErrDamaged},
		{"a header of gzip alone", gz[:3], ErrDamaged},
		{"a bomb", bomb, ErrTooLong},
		{"too long", make([]byte, small+1), ErrTooLong},
		{"gzip of nothing again and again", bytes.Repeat(compressed(t, nil), small/20), ErrTooLong},
	} {
		b := Builder{bytesMax: small}
		if _, err := b.Read(bytes.NewReader(tt.file)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	broken := errors.New("the disk is broken")
	if _, _, err := Parse(io.MultiReader(strings.NewReader("192.0.2.1\n"),
		readerOf(func([]byte) (int, error) { return 0, broken }))); !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type readerOf func([]byte) (int, error)

func (r readerOf) Read(p []byte) (int, error) { return r(p) }

// A list without an end of ranges that do not touch is refused before it takes more memory.
func TestTooManyRanges(t *testing.T) {
	next := uint32(0)
	endless := readerOf(func(p []byte) (int, error) {
		n := 0
		for ; n+12 <= len(p); n += 12 {
			binary.BigEndian.PutUint32(p[n:], 0)
			binary.BigEndian.PutUint32(p[n+4:], next)
			binary.BigEndian.PutUint32(p[n+8:], next)
			next += 2
		}
		return n, nil
	})
	head := append(bytes.Clone(p2bMagic), 3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	const most = 100_000
	b := Builder{rangesMax: most}
	if _, err := b.Read(io.MultiReader(bytes.NewReader(head), endless)); !errors.Is(err,
		ErrTooMany) || next > 4*most {
		t.Errorf("%v after %d", err, next/2)
	}
	if _, err := b.List(); !errors.Is(err, ErrTooMany) {
		t.Errorf("a list after too many ranges: %v", err)
	}
	b = Builder{rangesMax: 2}
	for _, s := range []string{"192.0.2.1", "192.0.2.3", "::1"} {
		b.Add(netip.MustParseAddr(s), netip.MustParseAddr(s))
	}
	if _, err := b.List(); !errors.Is(err, ErrTooMany) {
		t.Errorf("three ranges instead of two: %v", err)
	}
}

func TestNilListIsEmpty(t *testing.T) {
	var l *List
	if l.Contains(netip.MustParseAddr("192.0.2.1")) || l.Len() != 0 || shown(l) != "" ||
		l.Bytes() != 0 {
		t.Error("a nil list blocks something")
	}
	empty, err := new(Builder).List()
	if err != nil || empty.Contains(netip.MustParseAddr("::1")) || empty.Len() != 0 {
		t.Error("an empty list blocks something")
	}
	full, _, err := Parse(strings.NewReader("0.0.0.0/0\n::/0"))
	if err != nil || full.Contains(netip.Addr{}) {
		t.Error("an address that is not valid is blocked")
	}
}

func TestFormsOfAnAddress(t *testing.T) {
	l, _, err := Parse(strings.NewReader("192.0.2.1\nfe80::1"))
	if err != nil {
		t.Fatal(err)
	}
	for addr, want := range map[string]bool{"192.0.2.1": true, "::ffff:192.0.2.1": true,
		"192.0.2.2": false, "fe80::1%eth0": true, "fe80::1": true, "fe80::2": false,
		"::192.0.2.1": false} {
		if got := l.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

// Random ranges, also at the edges of all blocks, agree with a slow list.
func TestAgreesWithASlowList(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	for round := range 200 {
		var b Builder
		var slow [][2]netip.Addr
		pick := func(six bool) netip.Addr {
			v := rng.Uint32() >> rng.IntN(32)
			if rng.IntN(3) == 0 {
				v = ^v
			}
			if rng.IntN(3) == 0 {
				v = v&^0xffff - uint32(rng.IntN(2))
			}
			if !six {
				return addr4(v)
			}
			w := value128{uint64(v), 0}
			if rng.IntN(2) == 0 {
				w.low = -uint64(rng.IntN(3))
			}
			if rng.IntN(9) == 0 {
				w.high = ^w.high
			}
			return w.addr()
		}
		for range rng.IntN(60) {
			six := rng.IntN(2) == 0
			first, last := pick(six), pick(six)
			if rng.IntN(4) > 0 && !six {
				last = addr4(min(value4(first), 1<<31) + uint32(rng.IntN(1<<17)))
			}
			if ok := b.Add(first, last); ok != !last.Less(first) {
				t.Fatalf("seed %d: Add(%v, %v) = %v", seed, first, last, ok)
			} else if ok {
				slow = append(slow, [2]netip.Addr{first, last})
			}
		}
		list, err := b.List()
		if err != nil {
			t.Fatal(err)
		}
		check := func(a netip.Addr) {
			want := slices.ContainsFunc(slow, func(r [2]netip.Addr) bool {
				return !a.Less(r[0]) && !r[1].Less(a) && a.BitLen() == r[0].BitLen()
			})
			if got := list.Contains(a); got != want {
				t.Fatalf("seed %d, round %d: %v is blocked: %v, want %v (%s)", seed, round, a, got,
					want, shown(list))
			}
		}
		for _, r := range slow {
			for _, a := range r {
				check(a)
				for _, near := range []netip.Addr{a.Next(), a.Prev()} {
					if near.IsValid() {
						check(near)
					}
				}
			}
		}
		for range 100 {
			check(pick(rng.IntN(2) == 0))
		}
		checkOrder(t, list)
	}
}

// checkOrder fails unless the ranges are in order and do not touch, and as many as Len says.
func checkOrder(t *testing.T, l *List) {
	t.Helper()
	n := 0
	var before netip.Addr
	for first, last := range l.Ranges() {
		if last.Less(first) || n > 0 && before.BitLen() == first.BitLen() &&
			(!before.Less(first) || before.Next() == first) {
			t.Fatalf("%v-%v follows %v", first, last, before)
		}
		for _, end := range []netip.Addr{first, last} {
			// An end among the mapped addresses is an IPv4 address to Contains.
			if !end.Is4In6() && !l.Contains(end) {
				t.Fatalf("%v-%v: %v is not blocked", first, last, end)
			}
		}
		before = last
		n++
	}
	if n != l.Len() {
		t.Fatalf("%d ranges, Len says %d", n, l.Len())
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"Corp:192.0.2.0-192.0.2.9\n192.0.2.1 - 192.0.2.9 , 1 , x\n",
		"2001:db8::/32\n::-::1\n", "a:::-::1", "0.0.0.0/0\n", "1.2.3.4-1.2.3.5 , 999 ,"} {
		f.Add([]byte(s))
		f.Add(compressed(f, []byte(s)))
	}
	for version := range byte(4) {
		f.Add(p2b(version, [2]uint32{1, 2}, [2]uint32{3, 0xffffffff}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, report, err := Parse(io.LimitReader(bytes.NewReader(b), 1<<16))
		if (list == nil) != (err != nil) {
			t.Fatalf("%v, %v", list, err)
		}
		if err != nil {
			return
		}
		if report.Blocked+report.Allowed == 0 || list.Len() > report.Blocked {
			t.Fatalf("%d ranges, %+v", list.Len(), report)
		}
		checkOrder(t, list)
		// What a list holds can be written and read again.
		var text bytes.Buffer
		for first, last := range list.Ranges() {
			fmt.Fprintf(&text, "x:%v-%v\n", first, last)
		}
		if list.Len() == 0 {
			return
		}
		again, _, err := Parse(&text)
		if err != nil || shown(again) != shown(list) {
			t.Fatalf("%s, %v, want %s", shown(again), err, shown(list))
		}
	})
}

// millionLines is a list of a million ranges, as large ones are published.
func millionLines() []byte {
	var b bytes.Buffer
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1_000_000 {
		first := uint32(i)*4200 + uint32(rng.IntN(2000))
		fmt.Fprintf(&b, "Some Organisation %d:%v-%v\n", i, addr4(first),
			addr4(first+uint32(rng.IntN(2000))))
	}
	return b.Bytes()
}

// A million ranges take a few MiB.
func TestMillionRanges(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	list, report, err := Parse(bytes.NewReader(millionLines()))
	if err != nil || list.Len() != 1_000_000 || report.Skipped > 0 {
		t.Fatalf("%d ranges, %+v, %v", list.Len(), report, err)
	}
	if list.Bytes() > 5<<20 {
		t.Errorf("a million ranges take %d bytes", list.Bytes())
	}
}

func BenchmarkParse(b *testing.B) {
	file := millionLines()
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Parse(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContains(b *testing.B) {
	var build Builder
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 1_000_000 {
		first := uint32(i)*4200 + uint32(rng.IntN(2000))
		build.Add(addr4(first), addr4(first+uint32(rng.IntN(2000))))
		six := value128{0x2001<<48 | uint64(i)<<20, uint64(rng.IntN(2))}
		build.Add(six.addr(), six.addr())
	}
	list, err := build.List()
	if err != nil {
		b.Fatal(err)
	}
	for name, pick := range map[string]func() netip.Addr{
		"IPv4": func() netip.Addr { return addr4(rng.Uint32()) },
		"IPv6": func() netip.Addr {
			return value128{0x2001<<48 | rng.Uint64N(1<<40), 0}.addr()
		},
	} {
		var addrs [1 << 16]netip.Addr
		for i := range addrs {
			addrs[i] = pick()
		}
		b.Run(name, func(b *testing.B) {
			hits := 0
			for i := 0; b.Loop(); i++ {
				if list.Contains(addrs[i&0xffff]) {
					hits++
				}
			}
			b.ReportMetric(float64(hits)/float64(b.N), "hits")
		})
	}
}

// A range of IPv6 that reaches into the addresses of mapped IPv4 blocks no IPv4 address.
func TestRangesAroundMappedAddresses(t *testing.T) {
	ranges := []string{"::-::ffff:255.255.255.255", "::ffff:0.0.0.0-2001:db8::", "::/0"}
	for _, text := range ranges {
		list, _, err := Parse(strings.NewReader("x:" + text + "\n" + text + "\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for _, ip := range []string{"192.0.2.1", "::ffff:192.0.2.1"} {
			if list.Contains(netip.MustParseAddr(ip)) {
				t.Errorf("%s blocks %s", text, ip)
			}
		}
	}
}
