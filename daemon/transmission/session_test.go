package transmission

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// session returns a setting as a client sees it.
func (b *bench) session(field string) string {
	b.t.Helper()
	got := b.call("session-get", obj{"fields": []string{field}})
	value, ok := got[field]
	if !ok {
		b.t.Errorf("there is no setting %s", field)
	}
	return fmt.Sprint(value)
}

// Each setting that a client changes is as the client has set it, in force or remembered.
func TestSessionSet(t *testing.T) {
	b := newBench(t)
	for _, step := range []struct {
		name  string
		value any
		check func(s daemon.Settings) bool
	}{
		{"speed-limit-down", 500, func(s daemon.Settings) bool { return s.Down == 0 }},
		{"speed-limit-down-enabled", true, func(s daemon.Settings) bool {
			return s.Down == 500_000
		}},
		{"speed-limit-down", 600, func(s daemon.Settings) bool { return s.Down == 600_000 }},
		{"speed-limit-down-enabled", false, func(s daemon.Settings) bool { return s.Down == 0 }},
		{"speed_limit_down", 600, nil}, // as it was set before
		{"speed-limit-up-enabled", true, func(s daemon.Settings) bool { return s.Up == 100_000 }},
		{"alt-speed-down", 10, func(s daemon.Settings) bool {
			return s.AltDown == 10_000 && s.AltUp == 50_000
		}},
		{"alt-speed-up", 0, func(s daemon.Settings) bool { return s.AltUp == 1 }},
		{"alt-speed-enabled", true, func(s daemon.Settings) bool { return s.Alt }},
		{"alt-speed-enabled", false, func(s daemon.Settings) bool { return !s.Alt }},
		{"alt-speed-time-begin", 60, func(s daemon.Settings) bool { return s.AltSchedule == "" }},
		{"alt-speed-time-day", 14, nil},
		{"alt-speed-time-enabled", true, func(s daemon.Settings) bool {
			return s.AltSchedule == "mon,tue,wed 01:00-17:00"
		}},
		{"alt-speed-time-end", 1440, func(s daemon.Settings) bool {
			return s.AltSchedule == "mon,tue,wed 01:00-24:00"
		}},
		{"alt-speed-time-enabled", false, func(s daemon.Settings) bool {
			return s.AltSchedule == ""
		}},
		{"download-queue-size", 3, func(s daemon.Settings) bool { return s.QueueDown == 0 }},
		{"download-queue-enabled", true, func(s daemon.Settings) bool { return s.QueueDown == 3 }},
		{"seed-queue-enabled", true, func(s daemon.Settings) bool { return s.QueueSeed == 10 }},
		{"queue-stalled-minutes", 7, nil},
		{"queue-stalled-enabled", true, func(s daemon.Settings) bool {
			return s.QueueStalled == 7*time.Minute
		}},
		{"seedRatioLimit", 1.5, func(s daemon.Settings) bool { return s.SeedRatio == 0 }},
		{"seedRatioLimited", true, func(s daemon.Settings) bool { return s.SeedRatio == 1.5 }},
		{"seed_ratio_limit", 0.25, func(s daemon.Settings) bool { return s.SeedRatio == 0.25 }},
		{"idle-seeding-limit", 20, nil},
		{"idle-seeding-limit-enabled", true, func(s daemon.Settings) bool {
			return s.SeedIdle == 20*time.Minute
		}},
		{"peer-limit-global", 99, func(s daemon.Settings) bool { return s.Peers == 99 }},
		{"peer-limit-per-torrent", 9, func(s daemon.Settings) bool { return s.TorrentPeers == 9 }},
		{"start-added-torrents", false, func(s daemon.Settings) bool { return s.AddPaused }},
		{"default-trackers", "http://a.example/announce\n\nudp://b.example:1",
			func(s daemon.Settings) bool { return len(s.Trackers) == 2 }},
		{"pex-enabled", true, func(s daemon.Settings) bool { return s.PEX }},
		{"incomplete-dir", filepath.Join(b.dir, "part"),
			func(s daemon.Settings) bool { return s.IncompleteDir == "" }},
		{"incomplete-dir-enabled", true, func(s daemon.Settings) bool {
			return s.IncompleteDir == filepath.Join(b.dir, "part")
		}},
		{"incomplete-dir-enabled", false, func(s daemon.Settings) bool {
			return s.IncompleteDir == ""
		}},
		{"download-dir", filepath.Join(b.dir, "sub"),
			func(s daemon.Settings) bool { return s.Dir == filepath.Join(b.dir, "sub") }},
		{"trash-original-torrent-files", true, nil}, {"cache-size-mb", 8, nil}, {"reqq", 250, nil},
		{"sequential_download", true, nil},
	} {
		b.call("session-set", obj{step.name: step.value})
		if got := b.session(step.name); got != fmt.Sprint(step.value) {
			t.Errorf("%s is %s, want %v", step.name, got, step.value)
		}
		if s := b.daemon.Settings(); step.check != nil && !step.check(s) {
			t.Errorf("%s = %v leads to %+v", step.name, step.value, s)
		}
	}
}

// What clients may not change stays, and is no error; what makes no sense is one.
func TestSessionSetRefused(t *testing.T) {
	b := newBench(t, func(c *daemon.Config, _ *Config) {
		c.Settings.OnComplete = []string{"/bin/notify", "x"}
	})
	for name, want := range map[string]string{"script-torrent-done-filename": "/bin/notify",
		"script-torrent-done-enabled": "true", "script-torrent-added-filename": "",
		"script-torrent-done-seeding-enabled": "false", "version": version,
		"rename-partial-files": "true", "encryption": "tolerated", "rpc-version": "18",
		"rpc-version-semver": "6.0.0", "session-id": b.h.id, "utp-enabled": "true",
		"preferred_transports": "[utp tcp]", "blocklist-size": "0", "blocklist-enabled": "false",
		"peer-port": fmt.Sprint(b.daemon.Node().Addrs()[0].Port())} {
		b.call("session-set", obj{name: "something else"})
		b.call("session-set", obj{name: true})
		if got := b.session(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	before := b.daemon.Settings()
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"download-dir", "x", "download directory path is not absolute"},
		{"download-dir", "/etc", "outside of the allowed folders"},
		{"incomplete-dir", "../x", "path is not absolute"},
		{"incomplete-dir", "/etc", "outside of the allowed folders"},
		{"default-trackers", "x", "Invalid tracker list"},
		{"blocklist-url", "/etc/passwd", "begins with http"},
		{"peer-port", 0, "from 1 to 65535"}, {"peer-port", 65536, "from 1 to 65535"},
		{"peer-port", 1.5, "from 1 to 65535"},
	} {
		got := b.fails("session-set", obj{c.name: c.value, "seed-queue-enabled": true})
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if after := b.daemon.Settings(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the settings were %+v, and are %+v", before, after)
	}
}

func TestSessionGet(t *testing.T) {
	b := newBench(t)
	all := b.call("session-get", nil)
	if n := len(all); n < 60 || all["units"].(obj)["speed-bytes"] != float64(1000) {
		t.Errorf("%d settings: %v", n, all)
	}
	for _, name := range []string{"rpc-version-semver", "download-dir-free-space", "config-dir"} {
		if all[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	some := b.call("session-get", obj{"fields": []any{"version", "nothing", 7, "speed_limit_up"}})
	if len(some) != 2 || some["version"] != version || some["speed_limit_up"] != float64(100) {
		t.Errorf("some settings: %v", some)
	}
}

// The lists of the user stay when clients change the URL of one.
func TestBlocklistSettings(t *testing.T) {
	s := daemon.Settings{Blocklists: []string{"/file", "http://a.example/", "http://b.example/"}}
	if got := blocklistURL(&s); got != "http://a.example/" {
		t.Errorf("the URL is %s", got)
	}
	for _, step := range []struct {
		url  string
		want []string
	}{
		{"http://c.example/", []string{"/file", "http://c.example/", "http://b.example/"}},
		{"", []string{"/file", "http://b.example/"}},
		{"", []string{"/file"}},
		{"https://d.example/", []string{"/file", "https://d.example/"}},
	} {
		if setBlocklistURL(&s, step.url); !slices.Equal(s.Blocklists, step.want) {
			t.Errorf("%q: %q, want %q", step.url, s.Blocklists, step.want)
		}
	}
	off, err := settingOf("blocklist-enabled").set(nil, value("false"))
	if err != nil {
		t.Fatal(err)
	}
	if off(&s); len(s.Blocklists) != 0 || blocklistURL(&s) != "https://d.example/" {
		t.Errorf("switched off: %+v", s)
	}
	on, _ := settingOf("blocklist-enabled").set(nil, value("true"))
	if on(&s); !slices.Equal(s.Blocklists, []string{"/file", "https://d.example/"}) {
		t.Errorf("switched on: %q", s.Blocklists)
	}
}

// Spans of time are schedules, and schedules show their first span.
func TestSpans(t *testing.T) {
	for schedule, want := range map[string]span{
		"": {beginDefault, endDefault, daysDefault}, "x": {beginDefault, endDefault, daysDefault},
		"mon-fri 08:00-18:30":                  {480, 1110, 62},
		"sat,sun 22:15-06:00; mon 01:00-02:00": {1335, 360, 65},
		"10:00-24:00":                          {600, 1440, 127},
	} {
		s := daemon.Settings{AltSchedule: schedule}
		got := spanOf(&s)
		if got != want {
			t.Errorf("%q is %+v, want %+v", schedule, got, want)
		}
		again := daemon.Settings{AltSchedule: got.String()}
		if spanOf(&again) != got {
			t.Errorf("%q becomes %q", schedule, got)
		}
	}
	if s := (span{1, 2, 0}).String(); s != "" {
		t.Errorf("no days are %q", s)
	}
	s := daemon.Settings{Notes: map[string]string{notePrefix + spanNote: "99999 1 1"}}
	if got := spanOf(&s); got.begin != beginDefault {
		t.Errorf("a strange note gives %+v", got)
	}
}

// Groups are made, changed and listed.
func TestGroups(t *testing.T) {
	b := newBench(t)
	b.call("group-set", obj{"name": "slow", "speed-limit-down": 50,
		"speed-limit-down-enabled": true, "speed-limit-up": 20, "honorsSessionLimits": false})
	b.call("group-set", obj{"name": "fast", "speed_limit_up_enabled": true})
	got := b.call("group-get", obj{"group": "slow"})
	want := "[map[honorsSessionLimits:false name:slow speed-limit-down:50 " +
		"speed-limit-down-enabled:true speed-limit-up:20 speed-limit-up-enabled:false]]"
	if fmt.Sprint(got["group"]) != want {
		t.Errorf("the group is %v, want %s", got["group"], want)
	}
	b.call("group-set", obj{"name": "slow", "speed-limit-up-enabled": true})
	for _, g := range b.daemon.Groups() {
		if g.Name == "slow" && (g.Up != 20_000 || g.Down != 50_000 || !g.Alone) {
			t.Errorf("the group is %+v", g)
		}
	}
	if all := b.call("group-get", nil)["group"].([]any); len(all) != 2 {
		t.Errorf("the groups are %v", all)
	}
	if none := b.call("group-get", obj{"name": []string{"x"}})["group"].([]any); len(none) != 0 {
		t.Errorf("nobody has the groups %v", none)
	}
	if got := b.fails("group-set", obj{}); got != "No group name given" {
		t.Errorf("%s", got)
	}
}

func TestSessionStats(t *testing.T) {
	b := newBench(t)
	b.call("torrent-add", obj{"filename": strings.Repeat("89", 20), "paused": true})
	b.call("torrent-add", obj{"filename": strings.Repeat("88", 20)})
	got := b.call("session-stats", nil)
	now, ever := got["current-stats"].(obj), got["cumulative-stats"].(obj)
	if got["torrentCount"] != 2.0 || got["pausedTorrentCount"] != 1.0 ||
		got["activeTorrentCount"] != 1.0 || now["filesAdded"] != 2.0 ||
		ever["sessionCount"] != 1.0 {
		t.Errorf("the stats are %v", got)
	}
}

// Only a client that may change settings sees the secrets in them.
func TestSessionIsShownWithoutSecrets(t *testing.T) {
	b := newBench(t)
	const list = "https://s3cret@example.com/list?pin=s3cret"
	if err := b.daemon.Change(t.Context(), func(s *daemon.Settings) {
		setBlocklistURL(s, list)
	}); err != nil {
		t.Fatal(err)
	}
	for _, scope := range []control.Scope{control.Read, control.Control, control.Admin} {
		ctx := control.Admit(t.Context(), control.Identity{Scope: scope})
		for _, body := range []string{`{"method":"session-get"}`,
			`{"method":"session-get","arguments":{"fields":["blocklist-url"]}}`} {
			got, err := b.h.answer(ctx, []byte(body), nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if seen := bytes.Contains(got, []byte("s3cret")); seen != (scope == control.Admin) {
				t.Errorf("%v: %s", scope, got)
			}
		}
	}
}
