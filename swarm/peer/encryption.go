package peer

import "swarmnode/swarm/transport/mse"

// Encryption is a policy for Message Stream Encryption, which hides the
// protocol from simple filters and protects nothing.
type Encryption uint8

// The policies. Whatever is chosen, plain text is spoken behind an encrypted
// handshake if the other side offers it and the policy does not forbid it: it
// costs a fifth of the time.
const (
	// EncryptionAllowed: connections are made in plain text, and encrypted to
	// peers that close on that. Both are accepted.
	EncryptionAllowed Encryption = iota
	// EncryptionPreferred: connections are made encrypted, and in plain text to
	// peers that close on that. Both are accepted.
	EncryptionPreferred
	// EncryptionRequired: all is encrypted, or there is no connection.
	EncryptionRequired
	// EncryptionOff: all is plain text, or there is no connection.
	EncryptionOff
)

// Attempts returns what to say first to a peer, in order, as long as it closes
// on it without a word: the methods to offer in an encrypted handshake, or 0
// for a plain one.
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

// accepted returns the methods that a peer which connects may choose from.
func (e Encryption) accepted() mse.Method {
	switch e {
	case EncryptionRequired:
		return mse.RC4
	case EncryptionOff:
		return 0
	}
	return mse.Both
}
