//go:build !linux && !windows

package egress

import "net/netip"

// defaultRoutes returns one route for each interface with addresses, whose router has to be
// guessed: there is no portable way to read the routes.
func defaultRoutes(prefixes map[int][]netip.Prefix) ([]Gateway, error) {
	var all []Gateway
	for index := range prefixes {
		all = append(all, Gateway{Index: index})
	}
	return all, nil
}
