package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/daemon/client"
)

const (
	// completionTorrents is what the scripts ask node completion for: the words that name
	// torrents of the daemon that runs.
	completionTorrents = "torrents"
	// completionMax bounds the torrents among these words, and completionTime the time for
	// them: somebody waits at a prompt.
	completionMax  = 1000
	completionTime = 2 * time.Second
)

// namesTorrents reports whether the arguments of a command name torrents of a daemon.
func namesTorrents(cmd *command) bool { return strings.Contains(cmd.args, "TORRENT") }

// torrentWords returns the words that name torrents, one a line, each with a tab and what it
// stands for. Without a daemon there are none.
func (f *remoteFlags) torrentWords(ctx context.Context, c *console) string {
	ctx, cancel := context.WithTimeout(ctx, completionTime)
	defer cancel()
	d, err := f.connect(ctx, c)
	if err != nil {
		return ""
	}
	defer d.Close()
	list, err := d.List(ctx, client.Query{Fields: pickFields, Limit: completionMax})
	if err != nil || len(list.Torrents) == 0 {
		return ""
	}
	var b strings.Builder
	add := func(word, about string) {
		// Names are those of strangers.
		about = strings.Join(strings.Fields(escape(about)), " ")
		b.WriteString(word + "\t" + about + "\n")
	}
	var labels []string
	for i := range list.Torrents {
		t := &list.Torrents[i]
		add(strconv.Itoa(int(t.ID)), nameOf(t))
		for _, label := range t.Labels {
			if isShellWord(label) {
				labels = append(labels, label)
			}
		}
	}
	add("all", "every torrent")
	slices.Sort(labels)
	for _, label := range slices.Compact(labels) {
		add("label:"+label, "torrents with a label")
	}
	return b.String()
}
