package swarm

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestConnectionsMax(t *testing.T) {
	for _, tt := range []struct {
		asked, descriptors, want int
		said                     string // level of the line; empty: none
	}{
		{0, 1 << 20, 500, ""},
		{5000, 1 << 20, 5000, ""},
		{0, 1024, 500, ""},
		{0, 256, 116, "INFO"},
		{5000, 1024, 500, "WARN"},
		{0, 64, 20, "INFO"},
		{100, 16, 8, "WARN"},
		{3, 16, 3, ""},
	} {
		var log bytes.Buffer
		cfg := Config{PeersMax: tt.asked, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if got := connectionsMax(&cfg, tt.descriptors); got != tt.want {
			t.Errorf("%d asked with %d descriptors: %d, want %d", tt.asked, tt.descriptors, got,
				tt.want)
		}
		if said := log.String(); (said != "") != (tt.said != "") ||
			!strings.Contains(said, tt.said) {
			t.Errorf("%d asked with %d descriptors: said %q, want a line of level %q", tt.asked,
				tt.descriptors, said, tt.said)
		}
	}
}
