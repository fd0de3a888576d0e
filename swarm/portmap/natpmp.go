package portmap

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of NAT-PMP (RFC 6886).
const (
	pmpVersion = 0
	pmpAddress = 0
	pmpMapUDP  = 1
	pmpMapTCP  = 2

	pmpAddressBytes = 12
	pmpMapBytes     = 16

	pmpSuccess            = 0
	pmpUnsupportedVersion = 1
)

// A pmpResponse is a response of NAT-PMP.
type pmpResponse struct {
	opcode   uint8
	result   uint16
	epoch    uint32     // zero in the short response to another version
	address  netip.Addr // of the router, for pmpAddress
	internal uint16
	external uint16
	lifetime uint32 // in seconds
}

// appendPMPAddress appends the question for the external address (RFC 6886, section 3.2).
func appendPMPAddress(b []byte) []byte { return append(b, pmpVersion, pmpAddress) }

// pmpOpcode returns the opcode that maps a port of a protocol.
func pmpOpcode(p Proto) uint8 {
	if p == UDP {
		return pmpMapUDP
	}
	return pmpMapTCP
}

// appendPMPMap appends a request to map a port, or with a lifetime of zero to remove the
// mapping (sections 3.3 and 3.4). external is suggested, or zero.
func appendPMPMap(b []byte, w *Want, external uint16, seconds uint32) []byte {
	b = append(b, pmpVersion, pmpOpcode(w.Proto), 0, 0)
	b = binary.BigEndian.AppendUint16(b, w.Port)
	b = binary.BigEndian.AppendUint16(b, external)
	return binary.BigEndian.AppendUint32(b, seconds)
}

// parsePMP parses a response. That to an unsupported version or opcode is 4 or 8 bytes long
// (section 3.5), and that of an error may lack what follows the epoch.
func parsePMP(b []byte) (r pmpResponse, err error) {
	if len(b) < 4 || len(b) > controlBytesMax || b[0] != pmpVersion || b[1]&responseBit == 0 {
		return r, errMessage
	}
	r = pmpResponse{opcode: b[1] &^ responseBit, result: binary.BigEndian.Uint16(b[2:])}
	if len(b) >= 8 {
		r.epoch = binary.BigEndian.Uint32(b[4:])
	}
	if r.result != pmpSuccess {
		return r, nil
	}
	switch r.opcode {
	case pmpAddress:
		if len(b) < pmpAddressBytes {
			return r, errMessage
		}
		r.address = netip.AddrFrom4([4]byte(b[8:12]))
	case pmpMapUDP, pmpMapTCP:
		if len(b) < pmpMapBytes {
			return r, errMessage
		}
		r.internal = binary.BigEndian.Uint16(b[8:])
		r.external = binary.BigEndian.Uint16(b[10:])
		r.lifetime = binary.BigEndian.Uint32(b[12:])
	default:
		return r, errMessage
	}
	return r, nil
}
