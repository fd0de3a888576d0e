package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// envOf returns a getenv of a map.
func envOf(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// configIn writes a configuration file and returns its path.
func configIn(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFindConfig(t *testing.T) {
	dir := t.TempDir()
	old := systemConfig
	systemConfig = filepath.Join(dir, "etc")
	defer func() { systemConfig = old }()
	write := func(path string) string {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own := filepath.Join(dir, ".config", "swarmnode", "config.toml")
	xdg := filepath.Join(dir, "xdg", "swarmnode", "config.toml")
	service := filepath.Join(dir, "service", "config.toml")
	env := map[string]string{"HOME": dir}
	check := func(why, named, want, wantOwn string) {
		t.Helper()
		if got, mine := findConfig(named, envOf(env)); got != want || mine != wantOwn {
			t.Errorf("%s: %q, own %q; want %q, %q", why, got, mine, want, wantOwn)
		}
	}
	check("no file", "", "", own)
	check("a name", "x", "x", "x")
	if os.Geteuid() == 0 {
		check("the file of the system", "", write(filepath.Join(systemConfig, "config.toml")), own)
	}
	check("the user's", "", write(own), own)
	check("none", "none", "", own)
	env["CONFIGURATION_DIRECTORY"] = filepath.Dir(service) + ":/other"
	check("that of a service", "", write(service), service)
	env["XDG_CONFIG_HOME"] = "relative"
	check("a relative folder", "", service, service)
	env["XDG_CONFIG_HOME"] = filepath.Join(dir, "xdg")
	check("XDG", "", write(xdg), xdg)
}

// Each kind of value goes to each kind of flag, or is refused with its line.
func TestConfigValues(t *testing.T) {
	const head = "# head\n"
	for _, c := range []struct{ text, args, want string }{
		{"port = 7", "port", "7"},
		{"port = \"7\"", "port", "7"},
		{"down = 2048", "down", "2K"},
		{"down = \"1.5M\"", "down", "1536K"},
		{"no-dht = true", "no-dht", "true"},
		{"dht = false", "no-dht", "true"},
		{"dht = true", "no-dht", "false"},
		{"portmap = false", "no-portmap", "true"},
		{"peer = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", "peer", "127.0.0.1:1,127.0.0.1:2"},
		{"peer = \"127.0.0.1:1\"", "peer", "127.0.0.1:1"},
		{"verbose = 2", "verbose", "2"},
		{"dir = \"~/x\"", "dir", "/home/me/x"},
		{"comment = \"~/x\"", "comment", "~/x"},
		{"blocklist = [\"~/a\", \"http://a.example/~/b\"]", "blocklist",
			"/home/me/a,http://a.example/~/b"},
		{"piece-length = \"1M\"\nport = 3\n[command.seed]\nport = 4", "port", "4"},
		{"seed.port = 5", "port", "5"},
		{"seed = 5", "port", "0"}, // a number for sim
		{"seed = true", "port", "0"},
		{"relay = true", "relay", ""}, // for bootstrap

		{"port = true", "", "c.toml:2: port: true or false, where N is expected"},
		{"port = [1]", "", "c.toml:2: port: a list, where one value is expected"},
		{"port = 70000", "", `c.toml:2: port: "70000": not a port, 0 to 65535`},
		{"port = 1.5", "", `c.toml:2: port: "1.5": not a port, 0 to 65535`},
		{"no-dht = \"true\"", "", "c.toml:2: no-dht: text, where true or false is expected"},
		{"comment = 5", "", "c.toml:2: comment: a number, where text is expected"},
		{"peer = [\"x\"]", "", `c.toml:2: peer: "x"`},
		{"dht = true\nno-dht = false", "", "c.toml:2: dht: says again what line 3 does"},
		{"seed.port = 1\n[command.seed]\nport = 2", "",
			"c.toml:4: port: says again what line 2 does"},
		{"prot = 1", "", `c.toml:2: unknown key "prot" (try: port)`},
		{"no_dht = true", "", `c.toml:2: unknown key "no_dht" (try: no-dht)`},
		{"config = \"x\"", "", `c.toml:2: unknown key "config"`},
		{"help = true", "", `c.toml:2: unknown key "help"`},
		{"xyzzy-plugh = 1", "", `c.toml:2: unknown key "xyzzy-plugh"`},
		{"[ad]", "", `c.toml:2: unknown table "ad" (try: add)`},
		{"ad.port = 1", "", `c.toml:2: unknown table "ad" (try: add)`},
		{"[help]", "", `c.toml:2: unknown table "help"`},
		{"[add]\nlend = 1", "", `c.toml:3: add has no key "lend"`},
		{"[command]\n[command.x.y]", "", `c.toml:3: unknown table "command.x.y"`},
		{"a = ", "", "c.toml:2: the value is missing"},
	} {
		path := configIn(t, head+c.text+"\n")
		cmd := seedCommand()
		fs := newFlags("seed")
		new(outputFlags).register(fs)
		fs.String("dir", "", "`FOLDER`")
		cmd.setup(fs)
		cfg, err := readConfig(path)
		if err == nil {
			err = cfg.apply(cmd, fs, envOf(map[string]string{"HOME": "/home/me"}))
		}
		if c.args == "" {
			if exitCode(err) != exitInput || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.text, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		f := fs.Lookup(c.args)
		if got := f.Value.String(); got != c.want {
			t.Errorf("%s: --%s is %s, want %s", c.text, c.args, got, c.want)
		}
	}
}

// A flag wins over the environment, that over the file; all three are told apart.
func TestOrigins(t *testing.T) {
	path := configIn(t, "port = 1\nup = 1\ndown = 1\n")
	cmd := seedCommand()
	got, err := parseFlags(cmd, []string{"--up", "3", "x"}, envOf(map[string]string{
		"SWARM_CONFIG": path, "SWARM_UP": "2", "SWARM_DOWN": "2"}))
	if err != nil || len(got.args) != 1 {
		t.Fatal(err)
	}
	fs, err := resolve(cmd, []string{"--up", "3", "-c", path}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"up": "flag", "port": path + ":1",
		"memory": "default", "down": path + ":3"} {
		f := fs.Lookup(name)
		if got := originOf(f); got != want || isPinned(f) != (want == "flag") {
			t.Errorf("%s is from %s, want %s", name, got, want)
		}
	}
	t.Setenv("SWARM_DOWN", "2")
	if fs, err = resolve(cmd, nil, path); err != nil {
		t.Fatal(err)
	}
	f := fs.Lookup("down")
	if originOf(f) != "environment SWARM_DOWN" || !isPinned(f) || f.Value.String() != "2" {
		t.Errorf("down is %s from %s", f.Value, originOf(f))
	}
}

// No table of a command has the name of a switch, which stands at the top of many files.
func TestTablesAreDistinct(t *testing.T) {
	tables := flagTables()
	clashes := make(map[string]bool)
	for _, key := range (&configuration{tables: tables}).allKeys() {
		if tables[key] != nil {
			clashes[key] = true
		}
	}
	// These need [command.NAME] in a file that has the key at its top as well; docs/daemon.md
	// names them.
	want := []string{"bootstrap", "daemon", "files", "relay", "seed", "tracker"}
	if got := slices.Sorted(maps.Keys(clashes)); !slices.Equal(got, want) {
		t.Errorf("keys with the name of a table: %q, want %q", got, want)
	}
	for table := range tables {
		if cmd := commandAt(table); cmd == nil || tableOf(cmd) != table {
			t.Errorf("the table %s is not that of a command", table)
		}
	}
}

// Every flag with a value of its kind can be written to a file and read from there.
func TestDumpIsRead(t *testing.T) {
	for table := range flagTables() {
		cmd := commandAt(table)
		fs, err := resolve(cmd, nil, "none")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		b.WriteString("[command." + table + "]\n")
		skipped := map[string]bool{}
		fs.VisitAll(func(f *pflag.Flag) {
			e := settingOf(cmd, f)
			if unfiled(f) || f.Changed || f.Value.String() == "" || f.Value.String() == "0" {
				skipped[f.Name] = true // whose default is no value that could be given
				return
			}
			e.Origin = "test"
			b.WriteString(dumpLine(f, e) + "\n")
		})
		path := configIn(t, b.String())
		again, err := resolve(cmd, nil, path)
		if err != nil {
			t.Errorf("%s: %v\n%s", table, err, b.String())
			continue
		}
		again.VisitAll(func(f *pflag.Flag) {
			if got, want := f.Value.String(), fs.Lookup(f.Name).Value.String(); got != want {
				t.Errorf("%s: --%s is %q, want %q", table, f.Name, got, want)
			}
			if !skipped[f.Name] && !strings.HasPrefix(originOf(f), path) {
				t.Errorf("%s: --%s is from %s", table, f.Name, originOf(f))
			}
		})
	}
}

func TestMasked(t *testing.T) {
	for _, c := range [][3]string{
		{"proxy", "socks5://me:secret@h:1080", "socks5://me:***@h:1080"},
		{"proxy", "socks5://h:1080", "socks5://h:1080"},
		{"relay", "turn:me:secret@h?transport=udp", "turn:me:***@h?transport=udp"},
		{"user", "me:secret", "me:***"},
		{"blocklist", "https://a.example/list?key=secret", "https://a.example/list?***"},
		{"blocklist", "/srv/a:b@c", "/srv/a:b@c"},
		{"comment", "mail me@example.org: now", "mail me@example.org: now"},
	} {
		f := &pflag.Flag{Name: c[0]}
		if got := masked(f, c[1]); got != c[2] {
			t.Errorf("%s %s: %s, want %s", c[0], c[1], got, c[2])
		}
	}
}

func TestClosest(t *testing.T) {
	words := []string{"port", "up", "down", "no-dht", "blocklist"}
	for wrong, want := range map[string]string{"prot": "port", "no_dht": "no-dht", "dwn": "down",
		"blocklists": "blocklist", "xyzzy": "", "": "up", strings.Repeat("x", 99): ""} {
		if got := closest(wrong, slices.Values(words)); got != want {
			t.Errorf("%q: %q, want %q", wrong, got, want)
		}
	}
}
