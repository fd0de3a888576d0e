package wire

import "swarmnode/metainfo/bencode"

// A MetadataType is the purpose of a metadata message (BEP 9).
type MetadataType uint8

// The metadata messages of BEP 9. MetadataOther stands for every type that BEP 9
// does not define; it says to ignore those.
const (
	MetadataRequest MetadataType = 0
	MetadataData    MetadataType = 1
	MetadataReject  MetadataType = 2
	MetadataOther   MetadataType = 255
)

// MetadataBlock is the size in bytes of every block of the info dictionary but
// the last.
const MetadataBlock = 16 << 10

// metadataPieces is the number of blocks of the largest info dictionary.
const metadataPieces = MetadataSizeMax / MetadataBlock

// MetadataPieces returns the number of blocks of an info dictionary of size
// bytes, 0 when no dictionary has that size.
func MetadataPieces(size int64) int {
	if size <= 0 || size > MetadataSizeMax {
		return 0
	}
	return int((size + MetadataBlock - 1) / MetadataBlock)
}

// A Metadata is a message of the extension ut_metadata (BEP 9).
type Metadata struct {
	Type MetadataType
	// Piece is the index of the block of the info dictionary, from 0.
	Piece uint32
	// TotalSize is the size in bytes of the whole info dictionary, in a data
	// message; 0 when the sender left it out, or no dictionary has the size.
	TotalSize int64
	// Data is the block of a data message, at most MetadataBlock bytes.
	Data []byte
}

// AppendMetadata appends m, the payload of an Extended message, to dst.
func AppendMetadata(dst []byte, m Metadata) []byte {
	dst = bencode.AppendDict(dst, func(dst []byte) []byte {
		dst = appendIntField(dst, "msg_type", int64(m.Type))
		dst = appendIntField(dst, "piece", int64(m.Piece))
		if m.Type == MetadataData {
			dst = appendIntField(dst, "total_size", m.TotalSize)
		}
		return dst
	})
	if m.Type == MetadataData {
		dst = append(dst, m.Data...)
	}
	return dst
}

// ParseMetadata reads the payload of a message of ut_metadata. Data is a view
// of payload: everything after the dictionary (BEP 9, "data"). The dictionary is
// read leniently, since the info-hash proves the data. A message of a type that
// BEP 9 does not define has the type MetadataOther and no error.
func ParseMetadata(payload []byte) (Metadata, error) {
	const missing = -1
	bad := ProtocolError{RuleMetadata}
	kind, piece := int64(missing), int64(missing)
	var m Metadata
	r := bencode.NewLenient(payload, bencode.Limits{ValuesMax: payloadValuesMax})
	for key := range r.Dict() {
		switch string(key) {
		case "msg_type":
			kind = numberOr(r, missing)
		case "piece":
			piece = numberOr(r, missing)
		case "total_size":
			m.TotalSize = intField(r, 1, MetadataSizeMax)
		}
	}
	if r.Err() != nil || kind < 0 {
		return Metadata{}, bad
	}
	if kind > int64(MetadataReject) {
		return Metadata{Type: MetadataOther}, nil
	}
	m.Type = MetadataType(kind)
	if piece < 0 || piece >= metadataPieces {
		return Metadata{}, bad
	}
	m.Piece = uint32(piece)
	if m.Type != MetadataData {
		m.TotalSize = 0
		return m, nil // bytes after the dictionary mean nothing here
	}
	m.Data = payload[r.Offset():]
	if len(m.Data) > MetadataBlock {
		return Metadata{}, bad
	}
	return m, nil
}

// numberOr reads a number, and returns other for any other value.
func numberOr(r *bencode.Reader, other int64) int64 {
	if n, ok := r.TryNumber(); ok {
		return n
	}
	return other
}
