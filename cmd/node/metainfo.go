package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

func metainfoCommand() *command {
	return &command{
		name:  "metainfo",
		args:  "SOURCE",
		short: "fetch only the metadata of a magnet link, as a .torrent file",
		long:  `The path of the new file is printed. The content is not fetched.`,
		examples: []example{
			{"node metainfo -o some.torrent 'magnet:?xt=urn:btih:…'", "write some.torrent"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			var f metainfoFlags
			fs.StringVarP(&f.output, "output", "o", "",
				"`FILE` to write, - for standard output (default: the torrent's name with "+
					".torrent)")
			fs.BoolVar(&f.force, "force", false, "replace the file if it describes something else")
			f.fetch.register(fs)
			return f.run
		},
	}
}

type metainfoFlags struct {
	fetch  fetchFlags
	output string
	force  bool
}

func (f *metainfoFlags) run(ctx context.Context, c *console, args []string) error {
	src, err := parseSource(ctx, c, &f.fetch.node.listen, f.fetch.timeout, args[0])
	if err != nil {
		return err
	}
	if f.output != "" {
		if err := checkOutput(c, f.output, f.force); err != nil {
			return err
		}
	}
	t, err := f.fetch.fetch(ctx, c, src, wholeMetadata)
	if err != nil {
		return err
	}
	out := f.output
	if out == "" {
		out = torrentName(t.Info().Name())
	}
	return deliver(c, t, out, f.force)
}

// fetchFlags are the flags of commands that need metadata and no content.
type fetchFlags struct {
	node    nodeFlags
	timeout timeValue
}

func (f *fetchFlags) register(fs *pflag.FlagSet) {
	fs.Var(&f.timeout, "timeout", "give up after this time, as in 90s or 1h (default: never)")
	f.node.register(fs)
}

// peekFlags are the flags of commands that can do without metadata.
type peekFlags struct {
	fetch bool
	flags fetchFlags
}

func (f *peekFlags) register(fs *pflag.FlagSet) {
	fs.BoolVar(&f.fetch, "fetch", false, "fetch the metadata of a magnet link from peers")
	f.flags.register(fs)
}

// complete returns src with its metadata, if --fetch asks for it.
func (f *peekFlags) complete(ctx context.Context, c *console, src source) (source, error) {
	if !f.fetch || src.torrent != nil {
		return src, nil
	}
	t, err := f.flags.fetch(ctx, c, src, infoAlone)
	return source{torrent: t, magnet: src.magnet}, err
}

// How much of the metadata a command needs.
const (
	infoAlone     = false // the info dictionary
	wholeMetadata = true  // the piece layers of v2 as well (BEP 52)
)

// fetch returns the torrent that src names, from peers if necessary.
func (f *fetchFlags) fetch(ctx context.Context, c *console, src source,
	whole bool) (*metainfo.Torrent, error) {
	if src.torrent != nil {
		return src.torrent, nil
	}
	if err := f.node.prepare(c, nil); err != nil {
		return nil, err
	}
	if f.node.peersOnly && len(f.node.peers.items) == 0 {
		return nil, usage(c.command, errPeersOnly)
	}
	s, err := openSession(ctx, c, &f.node, needs{peers: src.magnet.Peers, urls: f.node.urls(&src)})
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := s.join(); err != nil {
		return nil, err
	}
	s.announceStart()
	handle, err := s.node.Add(s.spec(swarm.Spec{Magnet: src.magnet, MetadataOnly: true}))
	if err != nil {
		return nil, addFailure(src.hash().Short(), err)
	}
	info, err := f.wait(ctx, s, handle, &src, whole)
	if err != nil {
		return nil, err
	}
	t := metainfo.NewTorrent(info)
	for _, url := range src.magnet.Trackers {
		t.Trackers = append(t.Trackers, []string{url})
	}
	t.WebSeeds = src.magnet.WebSeeds
	return t, nil
}

// wait returns the info dictionary of handle, which src names, once it is known. If whole
// is set, it also waits for the piece layers.
func (f *fetchFlags) wait(ctx context.Context, s *session, handle *swarm.Torrent, src *source,
	whole bool) (*metainfo.Info, error) {
	watching, cancel := context.WithCancel(ctx)
	w := startWatch(watching, s, []*swarm.Torrent{handle})
	defer w.wait.Wait()
	defer cancel()
	var expired <-chan time.Time
	if f.timeout > 0 {
		timer := time.NewTimer(time.Duration(f.timeout))
		defer timer.Stop()
		expired = timer.C
	}
	timedOut := w.run(ctx, expired, func(n news) bool {
		if !n.done {
			w.metadata(handle.Info(), src, metainfo.NamesNative)
		}
		return whole && !n.done
	})
	info := handle.Info()
	switch {
	case info != nil && (!whole || info.Layout().HashesKnown()):
		return info, nil
	case timedOut:
		why := fmt.Errorf("after %s: %s", formatDuration(time.Duration(f.timeout)),
			s.verdictOf(handle))
		if info != nil {
			why = fmt.Errorf("after %s: no peer had the piece layers, without which a v2 "+
				"torrent is not whole",
				formatDuration(time.Duration(f.timeout)))
		}
		return nil, failWithHint(exitNoPeers, handle.Hash().Short(), why,
			s.timeoutHint())
	case handle.Err() != nil:
		return nil, torrentFailure(handle, handle.Err())
	case ctx.Err() != nil:
		w.tellStop()
		return nil, ended(ctx)
	}
	return nil, fail(exitOther, handle.Hash().Short(), errors.New("no metadata"))
}
