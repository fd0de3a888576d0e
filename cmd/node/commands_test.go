package main

import (
	"io/fs"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// leaves returns all commands that do something.
func leaves() []*command {
	var all []*command
	for _, cmd := range commands() {
		if cmd.setup != nil {
			all = append(all, cmd)
		}
		all = append(all, cmd.children...)
	}
	return all
}

func TestCommandsAreDescribed(t *testing.T) {
	for _, cmd := range leaves() {
		if cmd.short == "" || len(cmd.examples) == 0 {
			t.Errorf("%s: short %q, %d examples", cmd.path(), cmd.short, len(cmd.examples))
		}
		for _, e := range cmd.examples {
			if !strings.Contains(e.line, "node ") || e.what == "" {
				t.Errorf("%s: example %+v", cmd.path(), e)
			}
		}
	}
}

// The examples of the help are command lines that parse.
func TestExamplesParse(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	word := regexp.MustCompile(`'[^']*'|\S+`)
	for _, cmd := range leaves() {
		for _, e := range cmd.examples {
			line, _, _ := strings.Cut(e.line, " > ")
			line, _, _ = strings.Cut(line, " | ")
			var args []string
			for _, w := range word.FindAllString(line, -1) {
				args = append(args, strings.Trim(w, "'"))
			}
			if args[0] != "node" {
				continue // a shell's own words
			}
			got, err := parse(args[1:], none)
			if err != nil {
				t.Errorf("%s: %v", e.line, err)
			} else if got.command == nil {
				t.Errorf("%s: no command", e.line)
			}
		}
	}
}

// A shorthand means the same for every command, and so do the flags' names, or
// "node FLAG COMMAND" could not work.
func TestFlagsAgree(t *testing.T) {
	names := map[string]string{}
	kinds := map[string]string{}
	for _, cmd := range leaves() {
		all := newFlags("")
		new(outputFlags).register(all)
		cmd.setup(all)
		all.VisitAll(func(f *pflag.Flag) {
			if f.Shorthand != "" {
				if old, ok := names[f.Shorthand]; ok && old != f.Name {
					t.Errorf("-%s is --%s and --%s", f.Shorthand, old, f.Name)
				}
				names[f.Shorthand] = f.Name
			}
			takesValue := "a value"
			if f.NoOptDefVal != "" {
				takesValue = "no value"
			}
			if f.Name == "seed" && cmd.name == "sim" {
				return // the number, which is called that everywhere; it stands behind the command
			}
			if f.Name == "relay" && cmd.name == "bootstrap" {
				return // it makes a relay rather than names one; it stands behind the command
			}
			if old, ok := kinds[f.Name]; ok && old != takesValue {
				t.Errorf("--%s of %s takes %s, of another command %s", f.Name, cmd.path(),
					takesValue, old)
			}
			kinds[f.Name] = takesValue
		})
	}
}

// parsed holds what a probe command line sets.
type parsed struct {
	quiet bool
	port  string
	boots string
}

func parseProbe(t *testing.T, env map[string]string, args ...string) (parsed, error) {
	t.Helper()
	var listen listenFlags
	var join joinFlags
	cmd := &command{name: "probe", argsMax: anyNumber, setup: func(fs *pflag.FlagSet) action {
		listen.register(fs, 0, portPicked)
		join.register(fs)
		return nil
	}}
	got, err := parseFlags(cmd, args, func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	})
	return parsed{got.output.quiet, listen.port.String(), join.bootstrap.String()}, err
}

// A flag wins over the environment, and that over the default.
func TestEnvironment(t *testing.T) {
	env := map[string]string{"SWARM_PORT": "1001", "SWARM_BOOTSTRAP": "a.example:1,b.example:2",
		"SWARM_QUIET": "true", "SWARM_LISTEN": ""}
	for _, c := range []struct {
		env  map[string]string
		args []string
		want parsed
	}{
		{nil, nil, parsed{false, "0", ""}},
		{env, nil, parsed{true, "1001", "a.example:1,b.example:2"}},
		{env, []string{"--port", "7", "-b", "none", "--quiet=false"}, parsed{false, "7", "none"}},
		{nil, []string{"-b", "c.example:3", "-b", "d.example:4"},
			parsed{false, "0", "c.example:3,d.example:4"}},
	} {
		got, err := parseProbe(t, c.env, c.args...)
		if err != nil || got != c.want {
			t.Errorf("env %v, args %v: %+v, %v, want %+v", c.env, c.args, got, err, c.want)
		}
	}
	for name, value := range map[string]string{
		"SWARM_PORT": "high", "SWARM_QUIET": "perhaps", "SWARM_BOOTSTRAP": "a.example:1,,",
		"SWARM_VERBOSE": "x",
	} {
		_, err := parseProbe(t, map[string]string{name: value})
		if exitCode(err) != exitUsage || !strings.Contains(err.Error(), name) {
			t.Errorf("%s=%s: error %v", name, value, err)
		}
	}
}

// Every flag of every command has its variable, except those for the command line alone.
func TestEnvironmentReachesAll(t *testing.T) {
	for _, cmd := range leaves() {
		all := newFlags("")
		cmd.setup(all)
		asked := map[string]bool{}
		if err := setFromEnvironment(all, func(name string) (string, bool) {
			asked[name] = true
			return "", false
		}); err != nil {
			t.Fatal(err)
		}
		all.VisitAll(func(f *pflag.Flag) {
			if asked[envName(f.Name)] == isTyped(f) {
				t.Errorf("%s: --%s has no variable, or has one and is for the command line", cmd.path(),
					f.Name)
			}
		})
	}
	if got := envName("piece-length"); got != "SWARM_PIECE_LENGTH" {
		t.Errorf("envName = %s", got)
	}
}

func TestLeadingFlags(t *testing.T) {
	none := func(string) (string, bool) { return "", false }
	got, err := parse([]string{"-q", "--port", "7", "--bootstrap=none", "add", "--", "-x", "y"},
		none)
	if err != nil || got.command.name != "add" || !got.output.quiet ||
		!reflect.DeepEqual(got.args, []string{"-x", "y"}) {
		t.Errorf("parse = %+v, %v", got, err)
	}
	// A flag that only another command has is an error of the command named.
	if _, err := parse([]string{"--piece-length", "16K", "add", "x"},
		none); exitCode(err) != exitUsage {
		t.Errorf("error %v", err)
	}
}

// docs/json.md names every event, and every field of each.
func TestEventsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for part := range strings.SplitSeq(string(text), "\n### ") {
		name, body, _ := strings.Cut(part, "\n")
		sections[strings.Trim(name, "` ")] = body
	}
	for name, body := range map[string]any{
		"start": startEvent{}, "dht": dhtEvent{}, "metadata": metadataEvent{},
		"reach":    reachEvent{},
		"link":     linkEvent{},
		"progress": progressEvent{},
		"file":     fileEvent{}, "complete": completeEvent{}, "seeding": seedingEvent{},
		"warning": warningEvent{},
		"error":   errorEvent{}, "help": helpEvent{}, "completion": completionEvent{},
		"exit": exitEvent{}, "version": versionEvent{}, "torrent": torrentEvent{},
		"magnet": magnetEvent{}, "resume": resumeEvent{}, "verified": verifiedEvent{},
		"pong": pongEvent{}, "lookup": lookupEvent{},
		"peer": peerEvent{}, "sample": sampleEvent{}, "contact": contactEvent{},
		"item": itemEvent{}, "setting": settingEvent{}, "config": configEvent{},
		"added": addedEvent{}, "removed": removedEvent{}, "fault": faultEvent{},
		"reload": reloadEvent{}, "group": groupEvent{}, "password": passwordEvent{},
	} {
		section, ok := sections[name]
		if !ok {
			t.Errorf("no section %q", name)
		}
		check := func(field string) {
			if !strings.Contains(section, "`"+field+"`") {
				t.Errorf("section %q does not name `%s`", name, field)
			}
		}
		eachField(reflect.TypeOf(body), check)
		if name == "file" {
			eachField(reflect.TypeOf(lsFileEvent{}), check)
		}
	}
}

// eachField calls f with the JSON name of each field of a struct, and of the structs in
// it.
func eachField(typ reflect.Type, f func(string)) {
	for i := range typ.NumField() {
		field := typ.Field(i)
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" {
			f(name)
		}
		inner := field.Type
		for inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct {
			eachField(inner, f)
		}
	}
}

// Every event that the code emits is among those above.
func TestEventsAreKnown(t *testing.T) {
	text, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`\.event\("(\w+)"`)
	sources, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllSubmatch(code, -1) {
			if !strings.Contains(string(text), "\n### `"+string(m[1])+"`\n") {
				t.Errorf("%s: event %q is not documented", path, m[1])
			}
		}
	}
}
