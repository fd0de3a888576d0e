// Package wire encodes the dialogue of two peers: the
// handshake and the messages of BEP 3, and those that BEP 5, 6, 9, 10, 11, 21, 52,
// 54 and 55 add.
//
// It turns bytes that are in memory into values and back. It never reads from
// a connection, never keeps state between two messages, and never decides what
// an answer should be. Parsers check all that a single message can show: sizes,
// canonical form, field ranges. Whether an index fits the torrent, or a message fits
// the dialogue, is for the caller to check.
//
// Its nouns: a Hello is the handshake; a Message is anything after it; the
// body of a message is what follows its four bytes of length; ExtHandshake,
// Metadata, PEX, HashRange and Holepunch are the contents of the Payload of some
// messages. A ProtocolError is the breach of one Rule by the sender.
//
// Parsers return views of their input where that saves a copy; each says so.
// Everything is safe for concurrent use as long as the values are not shared.
package wire
