package wire

// AppendUploadOnly appends the payload of a message of upload_only to dst. BEP 21 has
// this state in the extension handshake; the message says that it has changed.
func AppendUploadOnly(dst []byte, only bool) []byte {
	if only {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// ParseUploadOnly reads the payload of a message of upload_only: whether the sender
// wants no pieces.
func ParseUploadOnly(payload []byte) (only bool, err error) {
	if len(payload) != 1 {
		return false, ProtocolError{RuleUploadOnly}
	}
	return payload[0] != 0, nil
}
