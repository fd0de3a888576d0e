package main

import (
	"context"

	"github.com/spf13/pflag"
)

func magnetCommand() *command {
	return &command{
		name:  "magnet",
		args:  "SOURCE...",
		short: "print the magnet link of a .torrent file",
		examples: []example{
			{"node magnet some.torrent", "the link to pass on"},
			{"node magnet 'MAGNET:?XT=URN:BTIH:…'", "a link in its usual form"},
			{"node magnet --fetch 0123456789abcdef0123456789abcdef01234567",
				"the whole link, with name and all info-hashes"},
		},
		argsMin: 1,
		argsMax: anyNumber,
		setup: func(fs *pflag.FlagSet) action {
			var f peekFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				for _, arg := range args {
					src, err := parseSource(ctx, c, &f.flags.node.listen, f.flags.timeout,
						arg)
					if err != nil {
						return err
					}
					if src, err = f.complete(ctx, c, src); err != nil {
						return err
					}
					m := src.magnet
					if src.torrent != nil {
						m = src.torrent.Magnet()
						m.Peers = src.magnet.Peers
					}
					c.event("magnet", magnetEvent{m.Hash().String(), src.name(), m.String()})
					c.result(m.String())
				}
				return nil
			}
		},
	}
}

// magnet: the link of a torrent.
type magnetEvent struct {
	Torrent string `json:"torrent"`
	Name    string `json:"name"`
	Magnet  string `json:"magnet"`
}
