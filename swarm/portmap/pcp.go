package portmap

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// Numbers of PCP (RFC 6887).
const (
	controlPort  = 5351 // of the router: PCP and NAT-PMP
	announcePort = 5350 // of clients: what a router says to all of them

	pcpVersion  = 2
	pcpAnnounce = 0
	pcpMap      = 1

	responseBit = 0x80 // of the opcode, of NAT-PMP as well

	pcpHeaderBytes = 24
	pcpMapBytes    = pcpHeaderBytes + 36
	// controlBytesMax is the longest message of PCP (section 7).
	controlBytesMax = 1100
)

// Result codes of PCP (section 7.4) that are handled apart.
const (
	pcpSuccess            = 0
	pcpUnsupportedVersion = 1
	pcpAddressMismatch    = 12
)

// errMessage is the error of a message that its protocol does not allow.
var errMessage = errors.New("malformed message")

// A nonce proves that a request comes from whoever made the mapping (RFC 6887, section 11.2).
type nonce [12]byte

// A pcpResponse is a response of PCP. Beyond epoch, its fields are those of MAP.
type pcpResponse struct {
	opcode   uint8
	result   uint8
	lifetime uint32 // in seconds; of an error, how long it lasts
	epoch    uint32
	mapped   bool // the fields below are set
	nonce    nonce
	proto    Proto
	internal uint16
	external netip.AddrPort
}

// appendPCP appends the header of a request (RFC 6887, section 7.1).
func appendPCP(b []byte, opcode uint8, seconds uint32, client netip.Addr) []byte {
	b = append(b, pcpVersion, opcode, 0, 0)
	b = binary.BigEndian.AppendUint32(b, seconds)
	ip := client.As16() // IPv4 in its mapped form (section 5)
	return append(b, ip[:]...)
}

// appendPCPMap appends a request to map a port, or with a lifetime of zero to remove the
// mapping (section 11.1). external is suggested; it may have the address of its family that
// is unspecified, and port 0.
func appendPCPMap(b []byte, client netip.Addr, w *Want, n nonce, external netip.AddrPort,
	seconds uint32) []byte {
	b = appendPCP(b, pcpMap, seconds, client)
	b = append(b, n[:]...)
	b = append(b, byte(w.Proto), 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, w.Port)
	b = binary.BigEndian.AppendUint16(b, external.Port())
	ip := external.Addr().As16()
	return append(b, ip[:]...)
}

// parsePCP parses a response (sections 7.2 and 11.1). Options behind it are ignored.
func parsePCP(b []byte) (r pcpResponse, err error) {
	if len(b) < pcpHeaderBytes || len(b) > controlBytesMax || len(b)%4 != 0 ||
		b[0] != pcpVersion || b[1]&responseBit == 0 {
		return r, errMessage
	}
	r = pcpResponse{opcode: b[1] &^ responseBit, result: b[3],
		lifetime: binary.BigEndian.Uint32(b[4:]), epoch: binary.BigEndian.Uint32(b[8:])}
	if r.opcode != pcpMap || len(b) < pcpMapBytes {
		return r, nil
	}
	b = b[pcpHeaderBytes:]
	r.mapped = true
	r.nonce = nonce(b)
	r.proto, r.internal = Proto(b[12]), binary.BigEndian.Uint16(b[16:])
	r.external = netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[20:36])).Unmap(),
		binary.BigEndian.Uint16(b[18:]))
	return r, nil
}
