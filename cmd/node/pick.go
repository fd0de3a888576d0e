package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

// A pick is an argument that names torrents of a daemon.
type pick struct {
	text        string
	all         bool
	first, last daemon.ID // numbers, if last is not 0
	hash        string    // how it begins, in lower case
	label       string
}

const (
	// hashDigitsMin is the least number of digits of a hash that name a torrent.
	hashDigitsMin = 6
	// hashDigits is the number of digits by which a daemon knows a torrent.
	hashDigits = 40
	hexDigits  = "0123456789abcdef"
)

// torrentHelp explains the arguments of commands that are about torrents of a daemon.
const torrentHelp = `A TORRENT is its number in node list, a range of numbers such as 3-5, the beginning of
its info-hash (6 digits or more), label:NAME for all with a label, or all. Several
can be given, also with commas. A word of digits alone is a number: hash:123456 is
the beginning of an info-hash.`

// parsePicks parses the arguments that name torrents.
func parsePicks(c *console, args []string) ([]pick, error) {
	var picks []pick
	for _, arg := range args {
		parts := []string{arg}
		if !strings.HasPrefix(arg, "label:") {
			parts = strings.Split(arg, ",")
		}
		for _, part := range parts {
			p, ok := parsePick(part)
			if !ok {
				return nil, usage(c.command, fmt.Errorf("%s names no torrent of a daemon",
					quoteSource(arg)))
			}
			picks = append(picks, p)
		}
	}
	return picks, nil
}

// parsePick parses the name of one or more torrents.
func parsePick(s string) (pick, bool) {
	p := pick{text: s}
	if s == "all" {
		p.all = true
		return p, true
	}
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "label":
		p.label = rest
		return p, rest != ""
	case "hash":
		return p.byHash(rest)
	case "id":
		return p.byNumber(rest)
	}
	if len(s) < hashDigits && strings.Trim(s, "0123456789-") == "" {
		return p.byNumber(s)
	}
	return p.byHash(s)
}

func (p pick) byNumber(s string) (pick, bool) {
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	from, err := strconv.ParseInt(first, 10, 32)
	to, err2 := strconv.ParseInt(last, 10, 32)
	p.first, p.last = daemon.ID(from), daemon.ID(to)
	return p, err == nil && err2 == nil && from > 0 && to >= from
}

func (p pick) byHash(s string) (pick, bool) {
	p.hash = strings.ToLower(s)
	n := len(p.hash)
	ok := n >= hashDigitsMin && n <= hashDigits || n == 64
	p.hash = p.hash[:min(n, hashDigits)]
	return p, ok && strings.Trim(p.hash, hexDigits) == ""
}

// takes reports whether the pick names a torrent.
func (p *pick) takes(t *api.Torrent) bool {
	switch {
	case p.all:
		return true
	case p.last > 0:
		return t.ID >= p.first && t.ID <= p.last
	case p.label != "":
		return slices.Contains(t.Labels, p.label)
	}
	return strings.HasPrefix(t.Hash, p.hash)
}

// from returns the torrents of a list that the pick names.
func (p *pick) from(list []api.Torrent) ([]api.Torrent, error) {
	var found []api.Torrent
	for i := range list {
		if p.takes(&list[i]) {
			found = append(found, list[i])
		}
	}
	switch {
	case len(found) > 1 && p.hash != "":
		return nil, fail(exitInput, quoteSource(p.text),
			fmt.Errorf("%s begin so (try: more digits)", plural(len(found), "info-hash")))
	case len(found) == 0 && !p.all:
		hint := program + " list"
		if _, err := strconv.Atoi(p.text); err == nil && len(p.text) >= hashDigitsMin {
			hint += ", or hash:" + p.text + " for an info-hash"
		}
		return nil, failWithHint(exitInput, quoteSource(p.text), errNoTorrent, hint)
	}
	return found, nil
}

// errNoTorrent says that nothing has a name.
var errNoTorrent = errors.New("no such torrent")

// pickFields are what pickTorrents needs of each torrent.
var pickFields = []string{"id", "hash", "name", "labels"}

// pickTorrents returns the torrents of a daemon that args name, each once, by their numbers, with
// the fields of pickFields and more.
func pickTorrents(ctx context.Context, c *console, d *client.Client, args []string,
	more ...string) ([]api.Torrent, error) {
	picks, err := parsePicks(c, args)
	if err != nil {
		return nil, err
	}
	list, err := d.ListAll(ctx, client.Query{Fields: slices.Concat(pickFields, more)})
	if err != nil {
		return nil, err
	}
	var chosen []api.Torrent
	for _, p := range picks {
		found, err := p.from(list.Torrents)
		if err != nil {
			// A hybrid has a second hash, which the daemon knows.
			t, err2 := p.other(ctx, d, list.Torrents)
			if err2 != nil {
				return nil, err
			}
			found = []api.Torrent{t}
		}
		chosen = append(chosen, found...)
	}
	slices.SortFunc(chosen, func(a, b api.Torrent) int { return int(a.ID - b.ID) })
	return slices.CompactFunc(chosen, func(a, b api.Torrent) bool { return a.ID == b.ID }), nil
}

// errNotHybrid says that no torrent has the second hash.
var errNotHybrid = errors.New("no torrent has this hash")

// other returns the torrent of a list whose second hash is that of the pick.
func (p *pick) other(ctx context.Context, d *client.Client, list []api.Torrent) (api.Torrent,
	error) {
	if len(p.hash) != hashDigits {
		return api.Torrent{}, errNotHybrid
	}
	details, err := d.ByHash(ctx, p.hash)
	if err != nil {
		return api.Torrent{}, err
	}
	i := slices.IndexFunc(list, func(t api.Torrent) bool { return t.ID == details.Torrent.ID })
	if i < 0 {
		return api.Torrent{}, errNotHybrid
	}
	return list[i], nil
}

// idsOf returns the numbers of torrents.
func idsOf(list []api.Torrent) []daemon.ID {
	ids := make([]daemon.ID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids
}
