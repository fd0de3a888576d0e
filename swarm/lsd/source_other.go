//go:build !linux

package lsd

import "net/netip"

// sourceOf returns nothing: the system chooses what a packet is sent from.
func sourceOf(netip.Addr, int) []byte { return nil }
