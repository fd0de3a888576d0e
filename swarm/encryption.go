package swarm

import "swarmnode/swarm/peer"

// Encryption is a policy for Message Stream Encryption, which hides the
// protocol from simple filters and protects nothing.
type Encryption = peer.Encryption

// The policies, as package peer has them.
const (
	EncryptionAllowed   = peer.EncryptionAllowed   // plain to start with, both accepted
	EncryptionPreferred = peer.EncryptionPreferred // encrypted to start with, both accepted
	EncryptionRequired  = peer.EncryptionRequired  // encrypted or not at all
	EncryptionOff       = peer.EncryptionOff       // plain or not at all
)
