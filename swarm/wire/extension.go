package wire

import (
	"net/netip"

	"swarmnode/metainfo/bencode"
)

// An Extension is one of the extensions of BEP 10 that this package knows. Its value is
// the number that we give to the extension: peers send us its messages under that number.
type Extension uint8

// The known extensions.
const (
	ExtMetadata   Extension = 1 + iota // ut_metadata, BEP 9
	ExtPEX                             // ut_pex, BEP 11
	ExtDontHave                        // lt_donthave, BEP 54
	ExtHolepunch                       // ut_holepunch, BEP 55
	ExtUploadOnly                      // upload_only, BEP 21 as a message
	extensionEnd
)

// ExtHandshakeNumber is the number of the extension handshake itself.
const ExtHandshakeNumber = 0

// extensionsByName lists the extensions in the order in which bencoding sorts
// their names.
var extensionsByName = [...]struct {
	name string
	ext  Extension
}{
	{"lt_donthave", ExtDontHave},
	{"upload_only", ExtUploadOnly},
	{"ut_holepunch", ExtHolepunch},
	{"ut_metadata", ExtMetadata},
	{"ut_pex", ExtPEX},
}

// String returns the name that the extension has on the wire.
func (e Extension) String() string {
	for _, x := range extensionsByName {
		if x.ext == e {
			return x.name
		}
	}
	return "unknown extension"
}

// Known reports whether e, the number of a message that a peer sent us, is the number
// of one of our extensions.
func (e Extension) Known() bool { return e >= 1 && e < extensionEnd }

// Extensions is the dictionary m of an extension handshake: the number that
// the sender gives to each extension. The zero value names none.
type Extensions struct {
	number [extensionEnd]uint8
	named  uint8 // bit e is set when e was in the dictionary
}

// OurExtensions returns a dictionary that offers the given extensions, each
// under our number for it.
func OurExtensions(offered ...Extension) Extensions {
	var x Extensions
	for _, e := range offered {
		x.Set(e, uint8(e))
	}
	return x
}

// Set gives the number n to e; 0 means that the sender does not want e, or no longer.
func (x *Extensions) Set(e Extension, n uint8) {
	if e.Known() {
		x.number[e] = n
		x.named |= 1 << e
	}
}

// Number returns the number under which to send messages of e, 0 when the peer does
// not have the extension.
func (x *Extensions) Number(e Extension) uint8 {
	if !e.Known() {
		return 0
	}
	return x.number[e]
}

// Has reports whether the peer takes messages of e.
func (x *Extensions) Has(e Extension) bool { return x.Number(e) != 0 }

// Merge updates x by a later handshake: extensions that later does not name keep their
// numbers (BEP 10, "the handshake message may be sent more than once").
func (x *Extensions) Merge(later Extensions) {
	for e := Extension(1); e < extensionEnd; e++ {
		if later.named&(1<<e) != 0 {
			x.Set(e, later.number[e])
		}
	}
}

// Bounds on the claims of an extension handshake.
const (
	// ReqqMax bounds the number of requests that a peer may claim to queue.
	// ReqqDefault is assumed when the peer does not say (BEP 10 names 250).
	ReqqMax     = 1024
	ReqqDefault = 250
	// ClientMax bounds the kept name of the peer's software, in
	// bytes: no honest name is longer.
	ClientMax = 64
	// MetadataSizeMax bounds the info dictionaries that we accept from peers, in
	// bytes.
	MetadataSizeMax = 16 << 20

	// RelaysMax is how many relays a peer may name.
	RelaysMax = 2

	// extensionNamesMax bounds the pairs of m that are read.
	extensionNamesMax = 16
	// payloadValuesMax bounds the values of one bencoded payload; payloads of
	// real clients have some twenty.
	payloadValuesMax = 4096
)

// An ExtHandshake is the message that opens the extension protocol (BEP 10).
type ExtHandshake struct {
	Extensions Extensions // m
	// MetadataSize is the size of the info dictionary in bytes, 0 when the
	// sender does not have it (BEP 9). It is a claim, at most MetadataSizeMax.
	MetadataSize int64
	// Port is the TCP port that the sender listens on, 0 when it does not say.
	Port uint16
	// Client names the sender's software: printable UTF-8, at most ClientMax
	// bytes.
	Client string
	// YourIP is the receiver's address as the sender sees it.
	YourIP netip.Addr
	// IPv4 and IPv6 are further addresses of the sender.
	IPv4, IPv6 netip.Addr
	// Reqq is how many requests the sender is ready to queue; between 1 and
	// ReqqMax after parsing, ReqqDefault when it does not say.
	Reqq int
	// Encrypts says that the sender prefers encrypted connections ("e").
	Encrypts bool
	// UploadOnly says that the sender wants no pieces (BEP 21).
	UploadOnly bool
	// Relays are addresses at relays (RFC 8656) that lead to the sender. The keys "relays" and
	// "relays6" are our own: compact addresses as in BEP 5 and BEP 32.
	Relays [RelaysMax]netip.AddrPort
}

// AppendExtHandshake appends h, the payload of an Extended message with number
// ExtHandshakeNumber, to dst. Fields that are zero are left out.
func AppendExtHandshake(dst []byte, h ExtHandshake) []byte {
	return bencode.AppendDict(dst, func(dst []byte) []byte {
		if h.Encrypts {
			dst = appendIntField(dst, "e", 1)
		}
		if h.IPv4.Is4() {
			dst = appendAddr(dst, "ipv4", h.IPv4)
		}
		if h.IPv6.Is6() {
			dst = appendAddr(dst, "ipv6", h.IPv6)
		}
		dst = bencode.AppendString(dst, "m")
		dst = bencode.AppendDict(dst, h.Extensions.append)
		if h.MetadataSize > 0 {
			dst = appendIntField(dst, "metadata_size", h.MetadataSize)
		}
		if h.Port != 0 {
			dst = appendIntField(dst, "p", int64(h.Port))
		}
		dst = h.appendRelays(dst, "relays", true)
		dst = h.appendRelays(dst, "relays6", false)
		if h.Reqq > 0 {
			dst = appendIntField(dst, "reqq", int64(h.Reqq))
		}
		if h.UploadOnly {
			dst = appendIntField(dst, "upload_only", 1)
		}
		if h.Client != "" {
			dst = bencode.AppendString(dst, "v")
			dst = bencode.AppendString(dst, h.Client)
		}
		if h.YourIP.IsValid() {
			dst = appendAddr(dst, "yourip", h.YourIP)
		}
		return dst
	})
}

func (x Extensions) append(dst []byte) []byte {
	for _, k := range extensionsByName {
		if x.named&(1<<k.ext) != 0 {
			dst = appendIntField(dst, k.name, int64(x.number[k.ext]))
		}
	}
	return dst
}

func appendIntField(dst []byte, key string, n int64) []byte {
	return bencode.AppendInt(bencode.AppendString(dst, key), n)
}

func appendAddr(dst []byte, key string, a netip.Addr) []byte {
	return bencode.AppendString(bencode.AppendString(dst, key), a.Unmap().AsSlice())
}

// ParseExtHandshake reads the payload of an extension handshake. BEP 10 says to ignore
// unknown fields, and no hash covers the payload, so the reader is lenient: fields of a
// wrong type or out of range are left zero. Bytes that are not
// bencoding, or not a dictionary, are a ProtocolError. The result does not refer to
// payload.
func ParseExtHandshake(payload []byte) (ExtHandshake, error) {
	h := ExtHandshake{Reqq: ReqqDefault}
	if len(payload) > ExtendedMax {
		return h, ProtocolError{RuleExtHandshake}
	}
	r := bencode.NewLenient(payload, bencode.Limits{ValuesMax: payloadValuesMax})
	for key := range r.Dict() {
		switch string(key) {
		case "e":
			n, ok := r.TryNumber()
			h.Encrypts = ok && n != 0
		case "m":
			h.Extensions.parse(r)
		case "metadata_size":
			h.MetadataSize = intField(r, 1, MetadataSizeMax)
		case "p":
			h.Port = uint16(intField(r, 1, 1<<16-1))
		case "relays":
			h.parseRelays(r, true)
		case "relays6":
			h.parseRelays(r, false)
		case "reqq":
			if n, ok := r.TryNumber(); ok {
				h.Reqq = int(min(max(n, 1), ReqqMax))
			}
		case "upload_only":
			n, ok := r.TryNumber()
			h.UploadOnly = ok && n != 0
		case "v":
			if b, ok := r.TryBytes(); ok {
				h.Client = printable(b)
			}
		case "yourip":
			h.YourIP = addrField(r)
		case "ipv4":
			if a := addrField(r); a.Is4() {
				h.IPv4 = a
			}
		case "ipv6":
			if a := addrField(r); a.Is6() {
				h.IPv6 = a
			}
		}
	}
	// Bytes after the dictionary are ignored: some clients pad.
	if r.Err() != nil {
		return ExtHandshake{}, ProtocolError{RuleExtHandshake}
	}
	return h, nil
}

func (x *Extensions) parse(r *bencode.Reader) {
	if r.Kind() != bencode.Dict {
		return
	}
	names := 0
	for name := range r.Dict() {
		if names++; names > extensionNamesMax {
			return // the reader skips the rest
		}
		for _, k := range extensionsByName {
			if string(name) != k.name {
				continue
			}
			if n, ok := r.TryNumber(); ok && n >= 0 && n <= 255 {
				x.Set(k.ext, uint8(n))
			}
		}
	}
}

// intField reads an integer. It returns 0 for another value and one out of bounds.
func intField(r *bencode.Reader, low, high int64) int64 {
	if n, ok := r.TryNumber(); ok && n >= low && n <= high {
		return n
	}
	return 0
}

// addrField reads a raw address. It returns the zero Addr for anything else.
func addrField(r *bencode.Reader) netip.Addr {
	b, ok := r.TryBytes()
	if !ok {
		return netip.Addr{}
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}
