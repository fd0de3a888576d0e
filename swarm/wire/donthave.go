package wire

import "encoding/binary"

// AppendDontHave appends the payload of a message of lt_donthave, which revokes a
// have, to dst (BEP 54).
func AppendDontHave(dst []byte, piece uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, piece)
}

// ParseDontHave reads the payload of a message of lt_donthave: the index of the piece
// that the sender no longer has (BEP 54).
func ParseDontHave(payload []byte) (piece uint32, err error) {
	if len(payload) != 4 {
		return 0, ProtocolError{RuleDontHave}
	}
	return binary.BigEndian.Uint32(payload), nil
}
