package blocklist

import (
	"bytes"
	"net/netip"
)

// A lineKind is what a line of a list says.
type lineKind uint8

const (
	lineBlank  lineKind = iota // nothing, or a comment
	lineBlocks                 // addresses are blocked
	lineAllows                 // addresses are named, and not blocked
	lineOdd                    // not understood
)

// levelMax is the highest level of a DAT entry that blocks.
const levelMax = 127

// line adds what a line without blanks around it blocks. Three forms begin with an address:
//
//	192.0.2.1                               and 2001:db8::1
//	192.0.2.0/24                            and 2001:db8::/32
//	192.0.2.1 - 192.0.2.9 , 100 , a name    DAT; all behind the range may be missing
//
// All of them may be followed by a comment, behind # or ;. A P2P line is a name, a colon and a
// range. The name may hold anything, even what looks like an address.
func (b *Builder) line(s []byte) lineKind {
	if len(s) == 0 || s[0] == '#' || s[0] == ';' || bytes.HasPrefix(s, []byte("//")) {
		return lineBlank
	}
	if kind := b.addressLine(s); kind != lineOdd {
		return kind
	}
	return b.p2pLine(s)
}

// addressLine adds a line that begins with an address.
func (b *Builder) addressLine(s []byte) lineKind {
	first, rest := cutAddr(s)
	if !first.IsValid() {
		return lineOdd
	}
	rest = bytes.TrimLeft(rest, blanks)
	last, level := first, 0
	switch {
	case len(rest) == 0:
	case rest[0] == '/':
		var bits int
		var ok bool
		if bits, rest, ok = cutNumber(rest[1:]); !ok || first.Is4In6() {
			return lineOdd // ::ffff:0:0/96 in a list of bogons does not mean all of IPv4
		}
		if first, last, ok = ends(first, bits); !ok {
			return lineOdd
		}
	case rest[0] == '-':
		if last, rest = cutAddr(bytes.TrimLeft(rest[1:], blanks)); !last.IsValid() {
			return lineOdd
		}
	}
	rest = bytes.TrimLeft(rest, blanks)
	if len(rest) > 0 && rest[0] == ',' {
		// What is no number is a name: the level is missing, and the entry blocks.
		level, _, _ = cutNumber(bytes.TrimLeft(rest[1:], blanks))
		rest = nil
	}
	if len(rest) > 0 && rest[0] != '#' && rest[0] != ';' {
		return lineOdd
	}
	if level > levelMax {
		return lineAllows
	}
	if !b.Add(first, last) {
		return lineOdd
	}
	return lineBlocks
}

// p2pLine adds a line NAME:FIRST-LAST. The range is at the end, so its parts are sought from
// there.
func (b *Builder) p2pLine(s []byte) lineKind {
	dash := bytes.LastIndexByte(s, '-')
	if dash < 0 {
		return lineOdd
	}
	last, rest := cutAddr(bytes.TrimLeft(s[dash+1:], blanks))
	if !last.IsValid() || len(rest) > 0 {
		return lineOdd
	}
	before := bytes.TrimRight(s[:dash], blanks)
	// An IPv6 address has colons as well. The longest end that is an address is the address.
	start := max(0, len(before)-addrTextMax)
	for i, c := range before[start:] {
		if c != ':' {
			continue
		}
		first, rest := cutAddr(bytes.TrimLeft(before[start+i+1:], blanks))
		if len(rest) == 0 && b.Add(first, last) {
			return lineBlocks
		}
	}
	return lineOdd
}

const (
	blanks = " \t"
	// addrTextMax is the length of the longest address, with the colon before it: six groups
	// of IPv6 before an IPv4 address.
	addrTextMax = len(":0000:0000:0000:0000:0000:0000:255.255.255.255")
)

// cutAddr cuts the address at the beginning of s. It is not valid if there is none.
func cutAddr(s []byte) (addr netip.Addr, rest []byte) {
	n, colon := 0, false
	for n < len(s) && isAddrByte(s[n]) {
		colon = colon || s[n] == ':'
		n++
	}
	text, rest := s[:n], s[n:]
	if !colon {
		return parse4(text), rest
	}
	if n > addrTextMax {
		return netip.Addr{}, s
	}
	addr, err := netip.ParseAddr(string(text))
	if err != nil {
		return netip.Addr{}, s
	}
	return addr, rest
}

func isAddrByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '.' || c == ':' || c >= 'a' && c <= 'f' ||
		c >= 'A' && c <= 'F'
}

// parse4 returns the IPv4 address s, or the zero Addr. Parts may begin with zeros, as they do
// in DAT files, and are decimal even so.
func parse4(s []byte) netip.Addr {
	var addr [4]byte
	part, digits, value := 0, 0, 0
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9' && digits < 3:
			value = 10*value + int(c-'0')
			digits++
		case c == '.' && digits > 0 && part < 3 && value <= 255:
			addr[part] = byte(value)
			part, digits, value = part+1, 0, 0
		default:
			return netip.Addr{}
		}
	}
	if part != 3 || digits == 0 || value > 255 {
		return netip.Addr{}
	}
	addr[3] = byte(value)
	return netip.AddrFrom4(addr)
}

// cutNumber cuts the decimal number of up to five digits at the beginning of s.
func cutNumber(s []byte) (n int, rest []byte, ok bool) {
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		if digits == 5 {
			return 0, s, false
		}
		n = 10*n + int(s[digits]-'0')
		digits++
	}
	return n, s[digits:], digits > 0
}

// ends returns the first and the last address of a prefix.
func ends(addr netip.Addr, bits int) (first, last netip.Addr, ok bool) {
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return first, last, false
	}
	first = prefix.Addr()
	if first.Is4() {
		return first, addr4(value4(first) | uint32(1<<(32-bits)-1)), true
	}
	v := value6(first)
	if bits < 64 {
		v.high |= 1<<(64-bits) - 1
		v.low = max128.low
	} else {
		v.low |= 1<<(128-bits) - 1
	}
	return first, v.addr(), true
}
