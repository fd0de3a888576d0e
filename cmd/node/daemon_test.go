package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"swarmnode"
	"swarmnode/conffile"
	"swarmnode/daemon"
)

// daemonWith parses a command line of the daemon.
func daemonWith(t *testing.T, env map[string]string, args ...string) *daemonFlags {
	t.Helper()
	f := new(daemonFlags)
	if _, err := parseFlags(daemonCommandWith(f), args, envOf(env)); err != nil {
		t.Fatal(err)
	}
	return f
}

// Every setting of the daemon has a flag, and so a key of the configuration file. Notes are for
// controls alone.
func TestSettingsHaveFlags(t *testing.T) {
	f := daemonWith(t, nil)
	for _, name := range daemon.SettingNames() {
		if flagOf(f.fs, name) == nil && name != "notes" && name != "groups" {
			t.Errorf("the setting %s has no flag", name)
		}
	}
}

// docs/daemon.md has a row for each key of the daemon.
func TestDaemonKeysAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/daemon.md")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(` \(default: ([^)]*)\)`)
	var want strings.Builder
	want.WriteString("| key | value | default | meaning |\n| --- | --- | --- | --- |\n")
	daemonWith(t, nil).fs.VisitAll(func(f *pflag.Flag) {
		if unfiled(f) {
			return
		}
		kind, about := pflag.UnquoteUsage(f)
		switch {
		case isSwitch(f):
			kind = "true, false"
		case f.Value.Type() == "count":
			kind = "a number"
		case kind == "" || kind == "string":
			kind = "text"
		}
		standard := f.DefValue
		if m := said.FindStringSubmatch(about); m != nil {
			about, standard = said.ReplaceAllString(about, ""), m[1]
		}
		row := strings.NewReplacer("|", "\\|", "\n", " ")
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", f.Name, row.Replace(kind), standard,
			row.Replace(about))
	})
	if !strings.Contains(string(text), want.String()) {
		t.Errorf("docs/daemon.md lacks this table:\n%s", want.String())
	}
}

// The example of docs/daemon.md is a file without a mistake.
func TestDocumentedConfigIsRight(t *testing.T) {
	text, err := os.ReadFile("../../docs/daemon.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(text), "```toml\n")
	example, _, closed := strings.Cut(example, "```")
	if !found || !closed {
		t.Fatal("docs/daemon.md has no example")
	}
	path := configIn(t, example)
	if mistakes, keys := mistakesIn(path); len(mistakes) > 0 || keys < 20 {
		t.Errorf("the example has %d keys: %v", keys, mistakes)
	}
	f := daemonWith(t, map[string]string{"HOME": "/home/me"}, "--config", path)
	s, err := f.settings(envOf(nil), "/state")
	if err != nil || s.Check() != nil {
		t.Errorf("the example: %v, %v", err, s.Check())
	}
}

// The flags make the settings that they say, and the defaults are right.
func TestDaemonSettings(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	env := envOf(map[string]string{"HOME": home})
	got, err := daemonWith(t, nil).settings(env, "/state")
	if err != nil || got.Check() != nil {
		t.Fatal(err, got.Check())
	}
	want := daemon.Settings{Dir: filepath.Join(home, "Downloads"), AltDown: 50 << 10,
		AltUp: 50 << 10, QueueDown: 5, QueueStalled: 30 * time.Minute, MinFree: 256 << 20,
		DHT: true, PEX: true, LSD: true}
	if names := differing(&got, &want); len(names) > 0 {
		t.Errorf("the defaults differ in %q: %+v", names, got)
	}
	f := daemonWith(t, map[string]string{"SWARM_UP": "2M", "SWARM_NO_DHT": "true"}, "--dir", "a",
		"--incomplete-dir", "/b", "--root", "/c", "--root", "d", "--watch", "e=f", "--watch", "/g",
		"--down", "1M", "--alt-down", "3", "--alt-up", "4", "--alt",
		"--alt-schedule", "sat 10:00-12:00",
		"--max-peers", "5", "--torrent-peers", "6", "--queue-downloads", "0", "--queue-seeds", "8",
		"--queue-stalled", "0", "--seed-ratio", "1.5", "--seed-time", "1h", "--seed-idle", "90",
		"--add-paused", "--default-tracker", "http://t.example/announce", "--min-free", "1G",
		"--on-added", "/bin/a b", "--on-complete", `["/bin/c", "d e"]`, "--on-error", "",
		"--no-pex", "--no-lsd", "--blocklist", "l", "--blocklist", "http://l.example/l")
	if got, err = f.settings(env, "/state"); err != nil || got.Check() != nil {
		t.Fatal(err, got.Check())
	}
	want = daemon.Settings{Dir: filepath.Join(here, "a"), IncompleteDir: "/b",
		Roots: []string{"/c", filepath.Join(here, "d")},
		Watch: []string{filepath.Join(here, "e") + "=" + filepath.Join(here, "f"), "/g"},
		Down:  1 << 20, Up: 2 << 20, AltDown: 3, AltUp: 4, Alt: true,
		AltSchedule: "sat 10:00-12:00", Peers: 5, TorrentPeers: 6, QueueSeed: 8, SeedRatio: 1.5,
		SeedTime: time.Hour, SeedIdle: 90 * time.Second, AddPaused: true,
		Trackers: []string{"http://t.example/announce"}, MinFree: 1 << 30,
		OnAdded: []string{"/bin/a b"}, OnComplete: []string{"/bin/c", "d e"},
		Blocklists: []string{filepath.Join(here, "l"), "http://l.example/l"}}
	if names := differing(&got, &want); len(names) > 0 {
		t.Errorf("the settings differ in %q: %+v", names, got)
	}
	pinned := f.pinned()
	for name, is := range map[string]bool{"down": true, "up": true, "dht": true, "pex": true,
		"root": true, "dir": true, "notes": false} {
		if slices.Contains(pinned, name) != is {
			t.Errorf("pinned are %q: %s is wrong", pinned, name)
		}
	}
	if names := daemonWith(t, nil).pinned(); len(names) > 0 {
		t.Errorf("without flags %q are pinned", names)
	}
}

// differing returns the names of the fields that differ.
func differing(a, b *daemon.Settings) (names []string) {
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) &&
			(x.Field(i).Kind() != reflect.Slice || x.Field(i).Len()+y.Field(i).Len() > 0) {
			names = append(names, x.Type().Field(i).Name)
		}
	}
	return names
}

func TestDefaultDownloads(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check := func(why, want string) {
		t.Helper()
		if got := defaultDownloads(envOf(env), "/state"); got != want {
			t.Errorf("%s: %s, want %s", why, got, want)
		}
	}
	check("no file", filepath.Join(home, "Downloads"))
	write(".config/user-dirs.dirs",
		"# c\nXDG_DESKTOP_DIR=\"$HOME/x\"\nXDG_DOWNLOAD_DIR=\"$HOME/Laden\"\n")
	check("the desktop's", filepath.Join(home, "Laden"))
	write("xdg/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"/srv/in\"\n")
	env["XDG_CONFIG_HOME"] = filepath.Join(home, "xdg")
	check("an absolute one", "/srv/in")
	write("xdg/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"$HOME/\"\n")
	check("the home itself", filepath.Join(home, "Downloads"))
	write("xdg/user-dirs.dirs", "XDG_DOWNLOAD_DIR=\"relative\"\n"+strings.Repeat("#", 70_000))
	check("a large file", filepath.Join(home, "Downloads"))
	env["STATE_DIRECTORY"] = "/var/lib/x"
	check("a service", "/state/downloads")
	delete(env, "STATE_DIRECTORY")
	delete(env, "HOME")
	check("no home", "/state/downloads")
}

// A program with arguments is one text or a list, and what is written is read again.
func TestCommandValue(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "/bin/a": {"/bin/a"},
		"/bin/a b":    {"/bin/a b"},
		`["a","b c"]`: {"a", "b c"}, `["[x"]`: {"[x"}, "[]": nil} {
		var v, again commandValue
		if err := v.Set(text); err != nil || !slices.Equal(v, want) {
			t.Errorf("%s: %q, %v, want %q", text, v, err, want)
		}
		if err := again.Set(v.String()); err != nil || !slices.Equal(v, again) {
			t.Errorf("%s is written %s and read %q, %v", text, v.String(), again, err)
		}
	}
	for _, text := range []string{"[", `["a"`, `[1]`, `["a"] b`} {
		if err := new(commandValue).Set(text); err == nil {
			t.Errorf("%s is accepted", text)
		}
	}
}

// What controls have changed is shown with its value and its origin, and flags come before it.
func TestDumpShowsChanges(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	cfg := daemon.Config{Settings: daemon.Settings{Dir: dir}, Node: swarmnode.Config{
		StateDir: state, Bootstrap: []string{}, AnyPort: true, NoPortmap: true,
		Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}}}
	args := []string{"--dir", dir, "--state-dir", state, "--up", "1M"}
	base, err := daemonWith(t, nil, args...).settings(os.LookupEnv, state)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Settings = base
	d, err := daemon.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Change(t.Context(), func(s *daemon.Settings) {
		s.Down, s.Up, s.DHT, s.AddPaused, s.SeedRatio = 2<<20, 5, false, true, 1.5
		s.SeedTime, s.Roots, s.OnAdded = time.Hour, []string{"/a", "/b"}, []string{"/bin/x", "y"}
		s.AltSchedule, s.Peers, s.QueueDown = "sat 10:00-12:00", 7, 0
	})
	if err := errors.Join(err, d.Close()); err != nil {
		t.Fatal(err)
	}
	fs, err := resolve(daemonCommand(), args, "none")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"down": "2M", "no-dht": "true", "add-paused": "true",
		"seed-ratio": "1.5", "seed-time": "1h0m0s", "root": "/a,/b", "on-added": `["/bin/x","y"]`,
		"alt-schedule": "sat 10:00-12:00", "max-peers": "7", "queue-downloads": "0"} {
		f := fs.Lookup(name)
		if f.Value.String() != want || originOf(f) != originRunning {
			t.Errorf("%s is %s from %s, want %s", name, f.Value, originOf(f), want)
		}
	}
	if f := fs.Lookup("up"); f.Value.String() != "1M" || originOf(f) != originFlag {
		t.Errorf("up is %s from %s", f.Value, originOf(f))
	}
}

// Whatever the file has, no command panics, and a refusal is one line.
func FuzzConfigFile(f *testing.F) {
	for _, s := range []string{"port = 7\n[daemon]\nwatch = [\"/a=/b\"]\n", "dht = false\n",
		"[command.seed]\nup = \"1M\"\n", "seed.up = 1\nrelay = true\n", "prot = 1", "verbose = 99",
		"on-added = [\"a\", \"b\"]\nalt-schedule = \"mon 1:00-2:00\"", "dir = \"~/x\"\nmin-free = \"5G\""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := conffile.Parse("x", []byte(text))
		if err != nil {
			return
		}
		cfg := &configuration{file: file, tables: flagTables()}
		all := cfg.unknown()
		for _, table := range []string{"add", "daemon", "bootstrap", "dht-ping"} {
			all = append(all, cfg.check(table))
		}
		for _, err := range all {
			if err == nil {
				continue
			}
			c, _, stderr := testConsole()
			if code := c.finish(err); code != exitInput && code != exitUsage ||
				strings.Count(stderr.String(), "\n") != 1 {
				t.Fatalf("%q: exit code %d, %q", text, code, stderr)
			}
		}
	})
}
