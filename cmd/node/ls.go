package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
)

func lsCommand() *command {
	return &command{
		name:  "ls",
		args:  "SOURCE",
		short: "list the files of a torrent: index, size, path",
		long: `For a magnet link or an info-hash, the list is fetched from peers; the content
is not.`,
		examples: []example{
			{"node ls some.torrent", "the files of a .torrent file"},
			{"node ls --timeout 1m 'magnet:?xt=urn:btih:…'", "those of a magnet link"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f fetchFlags
			f.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				src, err := parseSource(ctx, c, &f.node.listen, f.timeout, args[0])
				if err != nil {
					return err
				}
				t, err := f.fetch(ctx, c, src, infoAlone)
				if err != nil {
					return err
				}
				if src.torrent != nil { // fetched metadata was reported when it came
					warnRenamed(c, t.Info(), metainfo.NamesNative, "is saved as")
				}
				hash := t.Info().Hash().String()
				c.together(func() {
					for _, file := range listFiles(t.Info().Layout()) {
						c.event("file", lsFileEvent{hash, file})
						c.result(file.line())
					}
				})
				return nil
			}
		},
	}
}

func (e *listFileEvent) line() string {
	line := fmt.Sprintf("%6d %12d  %s", e.Index, e.Bytes, e.Path)
	if e.Link != "" {
		line += " -> " + e.Link
	}
	return line
}

// file: a file of a torrent.
type lsFileEvent struct {
	Torrent string `json:"torrent"`
	listFileEvent
}
