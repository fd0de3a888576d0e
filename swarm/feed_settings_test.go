package swarm

import "testing"

// TestSettingsAreNews: whoever keeps what the user has set hears of each change of it.
func TestSettingsAreNews(t *testing.T) {
	e, spec := contentFor(t)
	spec.Complete = false
	torrent, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	<-torrent.Done()
	if err := torrent.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  func() error
	}{
		{"limits", func() error { return torrent.SetLimits(Limits{Up: 1}) }},
		{"order", func() error { return torrent.SetSequential(true) }},
		{"name", func() error { return torrent.Rename(-1, "b") }},
		{"place", func() error { return torrent.Move(t.Context(), t.TempDir()) }},
		{"files", func() error { return torrent.SetFiles([]Priority{Highest}) }},
	} {
		all, err := e.Subscribe(0).Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s := e.Subscribe(all.Seq)
		if err := c.set(); err != nil {
			t.Fatal(c.name, err)
		}
		changes, err := s.Next(t.Context())
		if err != nil || len(changes.Torrents) != 1 ||
			changes.Torrents[0].Kinds&ChangedSettings == 0 {
			t.Errorf("after a change of the %s: %+v, %v", c.name, changes, err)
		}
	}
}
