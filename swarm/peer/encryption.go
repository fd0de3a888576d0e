package peer

import "swarmnode/swarm/transport/mse"

// Encryption is a policy for Message Stream Encryption, which hides the
// protocol from simple filters and protects nothing.
type Encryption uint8

// The policies. Under any policy, plain text follows an encrypted handshake if the other
// side offers it and the policy does not forbid it: it costs a fifth of the time.
const (
	// EncryptionAllowed: we connect in plain text, and encrypted to peers that hang up on
	// that. Both are accepted.
	EncryptionAllowed Encryption = iota
	// EncryptionPreferred: we connect encrypted, and in plain text to peers that hang up
	// on that. Both are accepted.
	EncryptionPreferred
	// EncryptionRequired: everything is encrypted, or there is no connection.
	EncryptionRequired
	// EncryptionOff: everything is plain text, or there is no connection.
	EncryptionOff
)

// Attempts returns the handshakes to try with a peer, in order, as long as it hangs up on
// them without a word: the methods to offer in an encrypted handshake, or 0 for a plain
// one.
func (e Encryption) Attempts() []mse.Method {
	switch e {
	case EncryptionPreferred:
		return []mse.Method{mse.RC4, 0}
	case EncryptionRequired:
		return []mse.Method{mse.RC4}
	case EncryptionOff:
		return []mse.Method{0}
	}
	return []mse.Method{0, mse.Both}
}

// accepted returns the methods that a connecting peer may choose from.
func (e Encryption) accepted() mse.Method {
	switch e {
	case EncryptionRequired:
		return mse.RC4
	case EncryptionOff:
		return 0
	}
	return mse.Both
}
