//go:build linux

package web_test

import (
	"encoding/json"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/internal/realclient"
)

// The daemon reads a schedule as the grid of the page shows it.
func TestScheduleIsTheDaemons(t *testing.T) {
	realclient.RequireProgram(t, "nodejs")
	out, err := run(t, "", "testdata/weeks.js")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var weeks []struct {
		Text   string
		Halves []int
	}
	if err := json.Unmarshal(out, &weeks); err != nil || len(weeks) == 0 {
		t.Fatalf("%d weeks, %v: %s", len(weeks), err, out)
	}
	monday := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, week := range weeks {
		settings := daemon.Settings{Dir: "/srv", AltSchedule: week.Text}
		if err := settings.Check(); err != nil {
			t.Fatalf("%q: %v", week.Text, err)
		}
		for i, on := range week.Halves {
			at := monday.Add(time.Duration(i) * 30 * time.Minute)
			if settings.AltAt(at) != (on == 1) {
				t.Fatalf("%q on %s: the page has %d", week.Text, at.Format("Mon 15:04"), on)
			}
		}
	}
}
