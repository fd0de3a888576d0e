package swarm

import (
	"bytes"
	"log/slog"
	"testing"

	"swarmnode/metainfo"
)

// TestTorrentLog: lines of a torrent are those of a logger with its info-hash.
func TestTorrentLog(t *testing.T) {
	hash := metainfo.Hash{0x12, 0x34}
	var got, want bytes.Buffer
	handler := func(b *bytes.Buffer) slog.Handler {
		return slog.NewTextHandler(b, &slog.HandlerOptions{
			ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey && len(groups) == 0 {
					return slog.Attr{}
				}
				return a
			}})
	}
	for _, log := range []*slog.Logger{slog.New(&torrentLog{handler(&got), hash}),
		slog.New(handler(&want)).With("torrent", hash.Short())} {
		log.Debug("not shown")
		log.Info("one", "key", 1)
		log.With("more", 2).Warn("two", "key", 3)
		log.WithGroup("group").Error("three", "key", 4)
	}
	if got.String() != want.String() || got.Len() == 0 {
		t.Errorf("the lines are\n%swant\n%s", &got, &want)
	}
}
