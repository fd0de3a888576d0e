package api

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon/stuck"
	"swarmnode/swarm/book"
	"swarmnode/swarm/core"
)

// docs/api.md has a row for each reason that a torrent is stuck, with all its values.
func TestStuckIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "## Why a torrent is stuck")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, reason := range stuck.Reasons {
		if !strings.Contains(table, "\n| `"+string(reason)+"` | ") {
			t.Errorf("docs/api.md has no row for %s", reason)
		}
	}
	for fault := range book.FaultCount {
		f := stuck.Facts{Age: time.Hour}
		f.Swarm.Unmet[fault], f.Swarm.PeersKnown = 1, 1
		for name := range f.Verdict().Values {
			if !strings.Contains(table, "`"+name+"`") {
				t.Errorf("docs/api.md does not name the value %s", name)
			}
		}
	}
}

// A torrent that nobody knows says so, in the list as in its details, once it had time to look.
func TestStuck(t *testing.T) {
	r := newRig(t, nil)
	hash := strings.Repeat("7", 40)
	r.want(r.do("POST", "/torrents", Add{Source: "magnet:?xt=urn:btih:" + hash +
		"&tr=http://Tracker.example:8080/announce"}), http.StatusCreated, nil)
	var details Details
	r.want(r.do("GET", "/torrents/"+hash, nil), http.StatusOK, &details)
	if s := details.Stuck; s == nil || s.Reason != details.Torrent.Stuck || s.Text == "" ||
		s.Advice == "" {
		t.Errorf("a torrent that has just begun: %+v, in the list %q", details.Stuck,
			details.Torrent.Stuck)
	}
	if got := details.Torrent.Tracker; got != "tracker.example" {
		t.Errorf("the tracker is %q", got)
	}
	r.want(r.do("POST", "/torrents/"+hash+"/stop", nil), http.StatusNoContent, nil)
	var stopped Details
	r.want(r.do("GET", "/torrents/"+hash, nil), http.StatusOK, &stopped)
	if stopped.Stuck != nil || stopped.Torrent.Stuck != "" {
		t.Errorf("a stopped torrent is stuck: %+v", stopped.Stuck)
	}
}

// docs/api.md explains each reason of waste.
func TestWasteIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := []core.Reason{core.ReasonUnsolicited, core.ReasonBadPiece}
	for why := core.WasteDuplicate; why.String() != "unknown"; why++ {
		reasons = append(reasons, why)
	}
	for _, why := range reasons {
		if !strings.Contains(string(doc), "\n| `"+why.String()+"` | ") {
			t.Errorf("docs/api.md does not explain %q", why)
		}
	}
}
