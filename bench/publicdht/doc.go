//go:build linux

// Package publicdht is a DHT on addresses that count as public, for measurements in a network
// namespace of their own: all limits apply as they would on the internet. A Network is the
// nodes, a Ledger what one other node asked them.
package publicdht
