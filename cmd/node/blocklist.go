package main

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/daemon/stuck"
	"swarmnode/metainfo/weburl"
)

// blockFlags say with whom nothing is exchanged.
type blockFlags struct{ lists listValue }

func (f *blockFlags) register(fs *pflag.FlagSet) {
	f.lists = listValue{kind: "FILE|URL", check: checkBlocklist}
	fs.Var(&f.lists, "blocklist",
		"list of addresses to block (P2P, DAT, CIDR; also with gzip), read again at SIGHUP; may be "+
			"repeated")
}

// checkBlocklist refuses a name that cannot be that of a list.
func checkBlocklist(s string) error {
	if s == "" {
		return errors.New("names no file")
	}
	switch weburl.Scheme(s) {
	case "ftp", "ftps", "sftp", "file":
		return errors.New("neither a file nor an http or https URL")
	}
	return nil
}

// A blocker is a node that keeps addresses out.
type blocker interface {
	Blocklist() swarmnode.BlocklistState
	ReloadBlocklist(ctx context.Context) error
}

// A blockWatch tells of the blocklist of a node, and reads it again at each SIGHUP. The zero
// value does nothing.
type blockWatch struct {
	c      *console
	node   blocker
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// watchBlocklist begins to watch, until close, if the user has named lists.
func watchBlocklist(c *console, node blocker, f *blockFlags) *blockWatch {
	w := &blockWatch{c: c, node: node, cancel: func() {}}
	if len(f.lists.items) == 0 {
		return w
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	asked, stop := c.hangups.take()
	w.tell() // whoever reads it may send SIGHUP at once
	w.done.Go(func() {
		defer stop()
		for {
			select {
			case <-asked:
				w.reload(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// reload reads the lists again. When that fails, those in force stay.
func (w *blockWatch) reload(ctx context.Context) {
	err := w.node.ReloadBlocklist(ctx)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.c.warn("the blocklist stays as it was: %s", stuck.Line(err))
	default:
		w.tell()
	}
}

// tell says how much is blocked, and what was wrong with the lists.
func (w *blockWatch) tell() {
	state := w.node.Blocklist()
	event := blocklistEvent{Ranges: state.Ranges, Lists: []blocklistPart{}}
	for _, s := range state.Sources {
		part := blocklistPart{Source: s.Name, Blocked: s.Blocked, Allowed: s.Allowed,
			Skipped: s.Skipped}
		if !s.Fetched.IsZero() {
			part.Fetched = s.Fetched.UTC().Format(time.RFC3339)
		}
		event.Lists = append(event.Lists, part)
	}
	w.c.event("blocklist", event)
	w.c.note("blocklist: %s of addresses", plural(state.Ranges, "range"))
	for _, s := range state.Sources {
		if s.Skipped > 0 {
			w.c.warn("blocklist %s: %s not understood, the first is line %d", s.Shown(),
				plural(s.Skipped, "line"), s.FirstSkipped)
		}
		if s.Err != nil {
			w.c.warn("blocklist %s: the copy of %s stays in use: %s", s.Shown(),
				s.Fetched.Format(time.DateTime), stuck.Line(s.Err))
		}
	}
}

// close ends the watching.
func (w *blockWatch) close() {
	w.cancel()
	w.done.Wait()
}

// blocklistFailure returns the failure of a node whose blocklist cannot be read.
func blocklistFailure(err *swarmnode.BlocklistError) error {
	if err.Network {
		return &failure{code: exitNetwork, why: err, hint: "the list as a file"}
	}
	code := exitInput
	if _, ofSystem := errors.AsType[syscall.Errno](err); ofSystem {
		code = diskCode(err)
	}
	return &failure{code: code, why: err}
}

// blocklist: the addresses that are blocked were read.
type blocklistEvent struct {
	Ranges int             `json:"ranges"` // neighbours count as one
	Lists  []blocklistPart `json:"lists"`
}

// A blocklistPart is what one list of a blocklistEvent has.
type blocklistPart struct {
	Source  string `json:"source"`            // as the user named it
	Blocked int    `json:"blocked"`           // entries
	Allowed int    `json:"allowed,omitempty"` // entries that do not block
	Skipped int    `json:"skipped,omitempty"` // lines that were not understood
	Fetched string `json:"fetched,omitempty"` // when a server has sent it
}
