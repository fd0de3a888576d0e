package wire

import (
	"encoding/binary"
	"net/netip"

	"swarmnode/metainfo/bencode"
)

// appendRelays appends the relays of one family under a key, if there are any.
func (h *ExtHandshake) appendRelays(dst []byte, key string, is4 bool) []byte {
	var list []byte
	for _, at := range h.Relays {
		if at.IsValid() && at.Addr().Unmap().Is4() == is4 {
			list = append(list, at.Addr().Unmap().AsSlice()...)
			list = binary.BigEndian.AppendUint16(list, at.Port())
		}
	}
	if len(list) == 0 {
		return dst
	}
	return bencode.AppendString(bencode.AppendString(dst, key), list)
}

// parseRelays reads the relays of one family, as many as there is room for. Ports of 0 and a
// list of a wrong length are ignored.
func (h *ExtHandshake) parseRelays(r *bencode.Reader, is4 bool) {
	b, ok := r.TryBytes()
	size := 16
	if is4 {
		size = 4
	}
	if !ok || len(b)%(size+2) != 0 {
		return
	}
	for ; len(b) > 0; b = b[size+2:] {
		ip, _ := netip.AddrFromSlice(b[:size])
		if port := binary.BigEndian.Uint16(b[size:]); port != 0 {
			h.addRelay(netip.AddrPortFrom(ip.Unmap(), port))
		}
	}
}

// addRelay adds a relay, if there is room and it is another one.
func (h *ExtHandshake) addRelay(at netip.AddrPort) {
	for i := range h.Relays {
		switch h.Relays[i] {
		case at:
			return
		case netip.AddrPort{}:
			h.Relays[i] = at
			return
		}
	}
}
