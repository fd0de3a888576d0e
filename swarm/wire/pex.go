package wire

import (
	"encoding/binary"
	"net/netip"

	"swarmnode/metainfo/bencode"
)

// PEXFlags are the properties of a peer that the sender of a PEX message knows (BEP 11).
type PEXFlags uint8

// The flags of BEP 11.
const (
	PEXEncryption PEXFlags = 0x01 // prefers encryption
	PEXSeed       PEXFlags = 0x02 // seed, or wants no pieces
	PEXUTP        PEXFlags = 0x04 // speaks uTP
	PEXHolepunch  PEXFlags = 0x08 // has ut_holepunch
	PEXReachable  PEXFlags = 0x10 // the sender has connected to the peer
)

// PEXMax bounds the peers added by one PEX message, and separately the
// peers dropped (BEP 11). Further peers are not read.
const PEXMax = 50

// A PEXPeer is a peer that the sender of a PEX message is connected to.
type PEXPeer struct {
	Addr  netip.AddrPort // where it listens
	Flags PEXFlags
}

// A PEX is a message of the extension ut_pex (BEP 11): the changes among the
// sender's connections since its previous such message.
type PEX struct {
	Added   []PEXPeer
	Dropped []netip.AddrPort
}

// Sizes in bytes of a compact peer, BEP 23 and BEP 7.
const (
	compact4 = 4 + 2
	compact6 = 16 + 2
)

// AppendPEX appends m, the payload of an Extended message, to dst. It takes the first
// PEXMax of Added and of Dropped. Flags go with every peer, since common
// clients ignore the peers of messages without flags.
func AppendPEX(dst []byte, m PEX) []byte {
	var added, flags, dropped [2][]byte // by family: IPv4, IPv6
	for _, p := range m.Added[:min(len(m.Added), PEXMax)] {
		f := family(p.Addr)
		added[f] = appendCompact(added[f], p.Addr)
		flags[f] = append(flags[f], byte(p.Flags))
	}
	for _, a := range m.Dropped[:min(len(m.Dropped), PEXMax)] {
		f := family(a)
		dropped[f] = appendCompact(dropped[f], a)
	}
	return bencode.AppendDict(dst, func(dst []byte) []byte {
		for f, suffix := range [2]string{"", "6"} {
			dst = bencode.AppendString(bencode.AppendString(dst, "added"+suffix), added[f])
			dst = bencode.AppendString(bencode.AppendString(dst, "added"+suffix+".f"), flags[f])
		}
		for f, suffix := range [2]string{"", "6"} {
			dst = bencode.AppendString(bencode.AppendString(dst, "dropped"+suffix), dropped[f])
		}
		return dst
	})
}

func family(a netip.AddrPort) int {
	if a.Addr().Unmap().Is4() {
		return 0
	}
	return 1
}

func appendCompact(dst []byte, a netip.AddrPort) []byte {
	dst = append(dst, a.Addr().Unmap().AsSlice()...)
	return binary.BigEndian.AppendUint16(dst, a.Port())
}

// ParsePEX reads the payload of a message of ut_pex. Peers that nobody can
// connect to (port 0, unspecified or multicast address) are left out. Peers beyond
// PEXMax are not read; when both address families have many, each gets half. A list of
// another type, or one that ends inside a peer, is ignored.
// Missing flags count as zero. Bytes that are not bencoding, or not a
// dictionary, are a ProtocolError. The result does not refer to payload.
func ParsePEX(payload []byte) (PEX, error) {
	var added, flags, dropped [2][]byte
	fields := map[string]*[]byte{
		"added": &added[0], "added.f": &flags[0], "dropped": &dropped[0],
		"added6": &added[1], "added6.f": &flags[1], "dropped6": &dropped[1],
	}
	r := bencode.NewLenient(payload, bencode.Limits{ValuesMax: payloadValuesMax})
	for key := range r.Dict() {
		if field := fields[string(key)]; field != nil {
			*field, _ = r.TryBytes()
		}
	}
	if r.Err() != nil {
		return PEX{}, ProtocolError{RulePEX}
	}
	var m PEX
	for _, list := range [2]*[2][]byte{&added, &dropped} {
		for f, size := range [2]int{compact4, compact6} {
			if len(list[f])%size != 0 {
				list[f] = nil
			}
		}
		share(list)
	}
	for f := range added {
		i := -1
		for a := range compactPeers(added[f], f) {
			i++
			if !connectable(a) {
				continue
			}
			p := PEXPeer{Addr: a}
			if i < len(flags[f]) {
				p.Flags = PEXFlags(flags[f][i])
			}
			m.Added = append(m.Added, p)
		}
		for a := range compactPeers(dropped[f], f) {
			if connectable(a) {
				m.Dropped = append(m.Dropped, a)
			}
		}
	}
	return m, nil
}

// share cuts the two lists to PEXMax peers together.
func share(list *[2][]byte) {
	n4, n6 := len(list[0])/compact4, len(list[1])/compact6
	keep4 := min(n4, PEXMax-min(n6, PEXMax/2))
	keep6 := min(n6, PEXMax-keep4)
	list[0], list[1] = list[0][:keep4*compact4], list[1][:keep6*compact6]
}

// compactPeers ranges over the peers of a list of one family.
func compactPeers(b []byte, family int) func(yield func(netip.AddrPort) bool) {
	size := compact4
	if family == 1 {
		size = compact6
	}
	return func(yield func(netip.AddrPort) bool) {
		for ; len(b) >= size; b = b[size:] {
			a, _ := netip.AddrFromSlice(b[:size-2])
			if !yield(netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[size-2:]))) {
				return
			}
		}
	}
}

// connectable reports whether a peer could listen at a.
func connectable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
