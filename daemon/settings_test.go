package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fullSettings are right, and every field has a value that is not its zero value.
func fullSettings(dir string) Settings {
	return Settings{Dir: dir, IncompleteDir: dir + "/part", Roots: []string{"/srv"},
		Watch: []string{dir + "/w", "/a=/b"}, Down: 1, Up: 2, AltDown: 3, AltUp: 4, Alt: true,
		AltSchedule: "mon-fri 08:00-18:30", Peers: 5, TorrentPeers: 6, Port: 10, QueueDown: 7,
		QueueSeed: 8, QueueStalled: time.Minute, SeedRatio: 1.5, SeedTime: time.Hour,
		SeedIdle: time.Second, AddPaused: true, MinFree: 9,
		Trackers: []string{"http://tracker.example/announce"},
		OnAdded:  []string{"/bin/a", "b c"}, OnComplete: []string{"c"}, OnError: []string{"e"},
		DHT: true, PEX: true, LSD: true, Blocklists: []string{"/list"},
		Groups: []Group{{Name: "g", Down: 1, Up: 2, Alone: true}},
		Notes:  map[string]string{"k": "v"}}
}

// Each field has a name of its own, and is cloned and compared.
func TestSettingsFields(t *testing.T) {
	full := fullSettings("/d")
	if err := full.check(); err != nil {
		t.Fatal(err)
	}
	names := SettingNames()
	if compact := slices.Compact(slices.Sorted(slices.Values(names))); len(compact) != len(names) {
		t.Errorf("names are used twice: %q", names)
	}
	full.fields(func(name string, field reflect.Value) {
		if name == "" || field.IsZero() {
			t.Errorf("the setting %q has no name or no value here", name)
		}
	})
	if got := full.differing(new(Settings)); !slices.Equal(got, names) {
		t.Errorf("from the zero value differ %q, want %q", got, names)
	}
	copied := full.clone()
	if got := copied.differing(&full); len(got) > 0 {
		t.Errorf("a clone differs in %q", got)
	}
	copied.Roots[0], copied.Notes["k"], copied.OnAdded[1] = "/other", "w", "x"
	if got := full.differing(&copied); !slices.Equal(got, []string{"root", "on-added", "notes"}) {
		t.Errorf("what a clone shares: %q differ", got)
	}
	// An empty list is none.
	if got := (&Settings{Roots: []string{}}).differing(new(Settings)); len(got) > 0 {
		t.Errorf("an empty list differs: %q", got)
	}
}

// Each wrong value is named with its flag, in one line.
func TestSettingsCheck(t *testing.T) {
	for name, wrong := range map[string]func(*Settings){
		"dir":             func(s *Settings) { s.Dir = "relative" },
		"incomplete-dir":  func(s *Settings) { s.IncompleteDir = "a\x00b" },
		"root":            func(s *Settings) { s.Roots = []string{"/a", ""} },
		"watch":           func(s *Settings) { s.Watch = []string{"/a=/a/"} },
		"down":            func(s *Settings) { s.Down = -1 },
		"up":              func(s *Settings) { s.Up = math.MaxInt64 },
		"alt-down":        func(s *Settings) { s.AltDown = -1 },
		"alt-up":          func(s *Settings) { s.AltUp = -1 },
		"alt-schedule":    func(s *Settings) { s.AltSchedule = "at noon" },
		"max-peers":       func(s *Settings) { s.Peers = -1 },
		"torrent-peers":   func(s *Settings) { s.TorrentPeers = math.MaxInt },
		"queue-downloads": func(s *Settings) { s.QueueDown = -1 },
		"queue-seeds":     func(s *Settings) { s.QueueSeed = -1 },
		"queue-stalled":   func(s *Settings) { s.QueueStalled = -1 },
		"seed-ratio":      func(s *Settings) { s.SeedRatio = math.NaN() },
		"seed-time":       func(s *Settings) { s.SeedTime = math.MaxInt64 },
		"seed-idle":       func(s *Settings) { s.SeedIdle = -1 },
		"default-tracker": func(s *Settings) { s.Trackers = []string{"gopher://x"} },
		"min-free":        func(s *Settings) { s.MinFree = -1 },
		"on-added":        func(s *Settings) { s.OnAdded = []string{""} },
		"on-complete":     func(s *Settings) { s.OnComplete = []string{"a/b"} },
		"on-error":        func(s *Settings) { s.OnError = make([]string, 10_000) },
		"blocklist":       func(s *Settings) { s.Blocklists = []string{""} },
		"groups":          func(s *Settings) { s.Groups = []Group{{Name: "a"}, {Name: "a"}} },
		"notes": func(s *Settings) {
			s.Notes = map[string]string{strings.Repeat("k", 9999): "v"}
		},
	} {
		s := fullSettings("/d")
		wrong(&s)
		setting, ok := errors.AsType[*SettingError](s.Check())
		if !ok || setting.Name != name || strings.Contains(setting.Error(), "\n") {
			t.Errorf("%s: %v", name, s.Check())
		}
	}
	for _, name := range SettingNames() {
		many := fullSettings("/d")
		field := many.field(name)
		if field.Kind() != reflect.Slice {
			continue
		}
		field.Set(reflect.MakeSlice(field.Type(), 5000, 5000))
		if many.Check() == nil {
			t.Errorf("%s may have 5,000 items", name)
		}
	}
}

// The change of a control is kept as long as the configuration says what it said then.
func TestKeptChanges(t *testing.T) {
	base := Settings{Dir: "/d", Down: 1, Up: 1}
	next := base
	next.Down, next.Up, next.AddPaused = 5, 6, true
	k := kept{"later": {Value: []byte(`{"a":1}`), Base: []byte("null")}}
	k.record(&base, &next, &base)
	for _, c := range []struct {
		why     string
		base    Settings
		pinned  []string
		want    Settings
		dropped string
	}{
		{"the same base", base, nil, next, ""},
		{"another limit", Settings{Dir: "/d", Down: 2, Up: 1}, nil,
			Settings{Dir: "/d", Down: 2, Up: 6, AddPaused: true}, "down"},
		{"another folder", Settings{Dir: "/e", Down: 1, Up: 1}, nil,
			Settings{Dir: "/e", Down: 5, Up: 6, AddPaused: true}, ""},
		{"a flag", base, []string{"up"}, Settings{Dir: "/d", Down: 5, Up: 1, AddPaused: true}, ""},
	} {
		got, dropped, err := k.with(c.base, c.pinned)
		if err != nil || !reflect.DeepEqual(got, c.want) ||
			strings.Join(dropped, " ") != c.dropped {
			t.Errorf("%s: %+v, dropped %q, %v", c.why, got, dropped, err)
		}
	}
	back := next
	back.Down = base.Down
	k.record(&next, &back, &base)
	if _, ok := k["down"]; ok || len(k) != 3 {
		t.Errorf("a change that was taken back is kept: %v", k)
	}
	if _, _, err := k.with(Settings{Dir: "relative"}, nil); err == nil {
		t.Error("a wrong base is accepted")
	}
	k["up"] = keptChange{Value: []byte("-7"), Base: []byte("1")}
	k["add-paused"] = keptChange{Value: []byte(`"yes"`), Base: []byte("false")}
	got, dropped, err := k.with(base, nil)
	if err != nil || !reflect.DeepEqual(got, base) ||
		strings.Join(dropped, " ") != "add-paused up" {
		t.Errorf("kept values that are wrong: %+v, dropped %q, %v", got, dropped, err)
	}
}

// Every setting that a control changes is the same after a restart.
func TestChangesOutliveTheProcess(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	want := fullSettings(dir)
	want.Blocklists = nil // the node would read it
	want.Port = freePort(t)
	log := new(logbook)
	d := startDaemon(t, testConfig(state, dir, log))
	if err := d.Change(t.Context(), func(s *Settings) { *s = want }); err != nil {
		t.Fatal(err)
	}
	closeDaemon(t, d)
	again := startDaemon(t, testConfig(state, dir, log))
	got := again.Settings()
	if names := got.differing(&want); len(names) > 0 {
		t.Errorf("after a restart differ %q", names)
	}
	changed := again.Changed()
	if slices.Contains(changed, "dir") || slices.Contains(changed, "blocklist") ||
		len(changed) != len(SettingNames())-2 {
		t.Errorf("changed while running: %q", changed)
	}
	seen, names, err := Preview(state, Settings{Dir: dir}, nil)
	if err != nil || len(seen.differing(&want)) > 0 || !slices.Equal(names, changed) {
		t.Errorf("a preview shows %+v, %q, %v", seen, names, err)
	}
	if lines := log.lines("settings"); len(lines) > 0 {
		t.Errorf("warnings: %q", lines)
	}
}

// freePort returns a port that nobody listened on a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	taken, port := takePort(t)
	taken.Close()
	return port
}

// takePort listens on a port.
func takePort(t *testing.T) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l, l.Addr().(*net.TCPAddr).Port
}

// A port changes at once. One that is taken changes nothing.
func TestPortSetting(t *testing.T) {
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	port := func() int { return int(d.Node().Addrs()[0].Port()) }
	want := freePort(t)
	if err := d.Change(t.Context(), func(s *Settings) { s.Port = want }); err != nil {
		t.Fatal(err)
	}
	if got := port(); got != want || d.Settings().Port != want {
		t.Errorf("the port is %d, want %d", got, want)
	}
	_, taken := takePort(t)
	err := d.Change(t.Context(), func(s *Settings) { s.Port, s.Down = taken, 7 })
	setting, ok := errors.AsType[*SettingError](err)
	if !ok || setting.Name != "port" || port() != want || d.Settings().Port != want ||
		d.Settings().Down != 0 {
		t.Errorf("a port that is taken: %v, the port is %d", err, port())
	}
	// What a control has set stays, until the configuration says something new.
	base := Settings{Dir: d.Settings().Dir, Up: 1}
	if _, _, err := d.Reload(t.Context(), base, nil); err != nil || port() != want {
		t.Errorf("after reading the configuration again: %v, the port is %d", err, port())
	}
	base.Port = taken
	_, restart, err := d.Reload(t.Context(), base, nil)
	if err != nil || !slices.Equal(restart, []string{"port"}) || port() != want {
		t.Errorf("a port of the configuration that is taken: %q, %v, the port is %d", restart, err,
			port())
	}
}

// A wrong change changes nothing. A right one is in the feed, and gets a copy.
func TestChange(t *testing.T) {
	d := startDaemon(t, testConfig(t.TempDir(), t.TempDir(), nil))
	first, err := d.Subscribe(0).Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := d.Settings()
	err = d.Change(t.Context(), func(s *Settings) { s.Down, s.SeedRatio = 7, -1 })
	setting, ok := errors.AsType[*SettingError](err)
	if !ok || setting.Name != "seed-ratio" || !reflect.DeepEqual(before, d.Settings()) {
		t.Errorf("a wrong change: %v, and the settings are %+v", err, d.Settings())
	}
	var mine []string
	if err := d.Change(t.Context(), func(s *Settings) {
		mine = []string{"/a"}
		s.Roots = mine
	}); err != nil {
		t.Fatal(err)
	}
	mine[0] = "/b"
	if got := d.Settings().Roots; !slices.Equal(got, []string{"/a"}) {
		t.Errorf("a slice of the caller is shared: %q", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	news, err := d.Subscribe(first.Seq).Next(ctx)
	if err != nil || !news.Settings {
		t.Errorf("the feed says %+v, %v", news, err)
	}
	closeDaemon(t, d)
	if err := d.Change(t.Context(), func(*Settings) {}); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
	if _, _, err := d.Reload(t.Context(), before, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("a reload after the end: %v", err)
	}
}

// A reload takes what is new, and leaves what controls have changed. What flags say lasts longer
// than a change, but only until the process ends.
func TestReload(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	cfg := testConfig(state, dir, nil)
	cfg.Settings.Down, cfg.Settings.Up, cfg.Pinned = 1, 1, []string{"up"}
	d := startDaemon(t, cfg)
	change := func(by func(*Settings)) {
		t.Helper()
		if err := d.Change(t.Context(), by); err != nil {
			t.Fatal(err)
		}
	}
	check := func(why string, down, up int64) {
		t.Helper()
		if s := d.Settings(); s.Down != down || s.Up != up {
			t.Errorf("%s: down %d, up %d; want %d, %d", why, s.Down, s.Up, down, up)
		}
	}
	reload := func(down, up int64) {
		t.Helper()
		base := cfg.Settings
		base.Down, base.Up = down, up
		if _, _, err := d.Reload(t.Context(), base, cfg.Pinned); err != nil {
			t.Fatal(err)
		}
	}
	change(func(s *Settings) { s.Down, s.Up = 5, 5 })
	reload(1, 1)
	check("nothing is new", 5, 5)
	if _, _, err := d.Reload(t.Context(), Settings{Dir: "relative"}, nil); err == nil {
		t.Error("a wrong configuration is accepted")
	}
	check("after a wrong one", 5, 5)
	reload(2, 1)
	check("a new limit", 2, 5)
	change(func(s *Settings) { s.Down = 6 })
	closeDaemon(t, d)
	cfg.Settings.Down = 2
	d = startDaemon(t, cfg)
	check("after a restart", 6, 1)
	if got := d.Pinned(); !slices.Equal(got, []string{"up"}) {
		t.Errorf("the pinned settings: %q", got)
	}
	reload(2, 9)
	check("a new flag", 6, 9)
}

// Blocklists count at once. One that cannot be used is refused, or waits for the next start if it
// is new in the configuration.
func TestBlocklistsChange(t *testing.T) {
	dir := t.TempDir()
	list := filepath.Join(dir, "list")
	if err := os.WriteFile(list, []byte("192.0.2.0/24\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(logbook)
	cfg := testConfig(t.TempDir(), dir, log)
	d := startDaemon(t, cfg)
	change := func(lists ...string) error {
		return d.Change(t.Context(), func(s *Settings) { s.Blocklists = lists })
	}
	if err := change(list); err != nil || d.Node().Blocklist().Ranges != 1 {
		t.Fatalf("a list: %v, %+v", err, d.Node().Blocklist())
	}
	setting, ok := errors.AsType[*SettingError](change(list, list+"x"))
	if !ok || setting.Name != "blocklist" || len(d.Settings().Blocklists) != 1 {
		t.Errorf("a list that is not there: %v, %q", setting, d.Settings().Blocklists)
	}
	if err := change(); err != nil || d.Node().Blocklist().Ranges != 0 {
		t.Errorf("no list: %v, %+v", err, d.Node().Blocklist())
	}
	base := cfg.Settings
	base.Blocklists = []string{list + "x"}
	changed, restart, err := d.Reload(t.Context(), base, nil)
	if err != nil || len(changed) > 0 || !slices.Equal(restart, []string{"blocklist"}) ||
		len(log.lines("the blocklist stays as it was")) != 1 {
		t.Errorf("a new list that is not there: %q, %v, %q", restart, err, log.lines("WARN"))
	}
	base.Blocklists = []string{list}
	if changed, restart, err = d.Reload(t.Context(), base, nil); err != nil || len(restart) > 0 ||
		!slices.Equal(changed, []string{"blocklist"}) ||
		d.Node().Blocklist().Ranges != 1 {
		t.Errorf("a new list: %q, %v, %+v", restart, err, d.Node().Blocklist())
	}
}

// A file of changes that cannot be used is set aside and named, once; one of a later version
// stays.
func TestDamagedSettings(t *testing.T) {
	dir := t.TempDir()
	good := func(state string) string {
		d := startDaemon(t, testConfig(state, dir, nil))
		if err := d.Change(t.Context(), func(s *Settings) { s.Down = 5 }); err != nil {
			t.Fatal(err)
		}
		closeDaemon(t, d)
		return filepath.Join(state, keptFile)
	}
	for why, harm := range map[string]func(doc []byte) []byte{
		"cut":     func(doc []byte) []byte { return doc[:len(doc)-9] },
		"flipped": func(doc []byte) []byte { doc[20] ^= 1; return doc },
		"empty":   func([]byte) []byte { return nil },
		"binary":  func([]byte) []byte { return make([]byte, 5000) },
		"large":   func([]byte) []byte { return make([]byte, settingsBytesMax+1) },
		"another": func([]byte) []byte { return seal([]byte(`{"version":1,"changed":7}`)) },
		"a list":  func([]byte) []byte { return seal([]byte(`{"version":1,"changed":[]}`)) },
	} {
		state := t.TempDir()
		path := good(state)
		doc, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, harm(doc), 0o600); err != nil {
			t.Fatal(err)
		}
		log := new(logbook)
		d := startDaemon(t, testConfig(state, dir, log))
		if down := d.Settings().Down; down != 0 {
			t.Errorf("%s: down is %d", why, down)
		}
		if lines := log.lines(keptFile + ".damaged-1"); len(lines) != 1 {
			t.Errorf("%s: it is said %q", why, lines)
		}
		if _, err := os.Stat(path + ".damaged-1"); err != nil {
			t.Errorf("%s: %v", why, err)
		}
		closeDaemon(t, d)
	}
	state := t.TempDir()
	later := seal([]byte(`{"version":2,"changed":{"down":{"value":5,"base":0}}}`))
	path := filepath.Join(state, keptFile)
	if err := os.WriteFile(path, later, 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(logbook)
	d := startDaemon(t, testConfig(state, dir, log))
	if err := d.Change(t.Context(), func(s *Settings) { s.Up = 7 }); err != nil {
		t.Fatal(err)
	}
	closeDaemon(t, d)
	if now, err := os.ReadFile(path); err != nil || string(now) != string(later) ||
		len(log.lines("later version")) != 1 {
		t.Errorf("a file of a later version became %q, %v; %q", now, err, log.lines("WARN"))
	}
}

// What a later version keeps beside the changes stays, and so do changes of unknown settings.
func TestUnknownKeysAreKept(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	path := filepath.Join(state, keptFile)
	doc := seal([]byte(`{"changed":{"new":{"base":1,"value":2}},"groups":[{"a":1}],"version":1}`))
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemon(t, testConfig(state, dir, nil))
	if err := d.Change(t.Context(), func(s *Settings) { s.Up = 7 }); err != nil {
		t.Fatal(err)
	}
	closeDaemon(t, d)
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"new":{"value":2,"base":1}`, `"groups":[{"a":1}]`,
		`"up":{"value":7`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
}

// Without room, changes count and are written later; that is said once.
func TestFullStateFolder(t *testing.T) {
	log := new(logbook)
	path := t.TempDir()
	full := errors.New("no room")
	k := openKeeper(testConfig(path, path, log).Logger, path, func() error { return full })
	base := Settings{Dir: "/d"}
	if _, err := k.rebase(base, nil); err != nil {
		t.Fatal(err)
	}
	for up := range int64(5) {
		next := base
		next.Up = up + 1
		k.record(&base, &next)
		k.write()
	}
	if lines := log.lines("cannot be kept"); len(lines) != 1 {
		t.Errorf("it is said %d times: %q", len(lines), lines)
	}
	full = nil
	if err := k.close(); err != nil || len(log.lines("are kept again")) != 1 {
		t.Errorf("with room: %v, %q", err, log.lines(""))
	}
	if s, _, err := Preview(path, base, nil); err != nil || s.Up != 5 {
		t.Errorf("up is %d, %v", s.Up, err)
	}
}

// changerEnv makes a process of this test that changes settings until it is killed.
const changerEnv = "SWARMNODE_TEST_CHANGER"

// A kill in the middle of changes loses the last second of them at most, and the file is whole.
func TestKilledWhileSettingsChange(t *testing.T) {
	if state := os.Getenv(changerEnv); state != "" {
		changeForEver(t, state)
		return
	}
	state := t.TempDir()
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileSettingsChange$",
			"-test.timeout=60s")
		cmd.Env = append(os.Environ(), changerEnv+"="+state)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		old, last := int64(0), int64(0)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n, err := strconv.ParseInt(lines.Text(), 10, 64)
			if err != nil {
				t.Fatalf("the process says %q", lines.Text())
			}
			if last = n; old == 0 {
				old = n
			}
			if n-old > int64(round)*300 {
				break
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
		s, _, err := Preview(state, Settings{Dir: state}, nil)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if s.Down < old-1 || s.Down > last+1000 {
			t.Errorf("round %d: down is %d, changed from %d to at least %d", round, s.Down, old,
				last)
		}
	}
}

// changeForEver raises a limit, and says after each change what it is.
func changeForEver(t *testing.T, state string) {
	d := startDaemon(t, testConfig(state, state, nil))
	for {
		if err := d.Change(t.Context(), func(s *Settings) { s.Down++ }); err != nil {
			t.Fatal(err)
		}
		fmt.Println(d.Settings().Down)
	}
}
