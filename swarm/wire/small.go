package wire

import "encoding/binary"

// AppendDontHave appends the payload of a message of lt_donthave (BEP 54),
// which takes back a have, to dst.
func AppendDontHave(dst []byte, piece uint32) []byte {
	return binary.BigEndian.AppendUint32(dst, piece)
}

// ParseDontHave reads the payload of a message of lt_donthave (BEP 54): the
// index of the piece that the sender no longer has.
func ParseDontHave(payload []byte) (piece uint32, err error) {
	if len(payload) != 4 {
		return 0, ProtocolError{RuleDontHave}
	}
	return binary.BigEndian.Uint32(payload), nil
}

// AppendUploadOnly appends the payload of a message of upload_only to dst: the
// state that BEP 21 has in the extension handshake, when it changes later.
func AppendUploadOnly(dst []byte, only bool) []byte {
	if only {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseUploadOnly reads the payload of a message of upload_only.
func ParseUploadOnly(payload []byte) (only bool, err error) {
	if len(payload) != 1 {
		return false, ProtocolError{RuleUploadOnly}
	}
	return payload[0] != 0, nil
}
