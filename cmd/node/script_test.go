//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/pflag"
)

func TestMain(m *testing.M) {
	os.Setenv("SWARM_NO_PORTMAP", "true") // the router of this machine is no part of a test
	// Nor are the configuration files of whoever runs it.
	systemConfig = filepath.Join(os.DevNull, "none")
	if base := filepath.Base(os.Args[0]); base != "node" && base != "swarmnode" {
		os.Setenv("XDG_CONFIG_HOME", systemConfig)
	}
	testscript.Main(m, map[string]func(){"node": main, "swarmnode": main})
}

// TestScripts runs one user story per file. Besides the commands of testscript, the
// stories use:
//
//	fails CODE COMMAND...      exits with CODE, one line on stderr and no more
//	exits CODE COMMAND...      exits with CODE
//	spawn NAME COMMAND...      starts a process
//	await NAME out|err RE VAR  waits for a line, and sets VAR to its first group
//	until RE COMMAND...        runs it until a line of its output is like that
//	signal NAME INT            sends a signal
//	reap NAME CODE             waits for the end; output is in NAME.out, NAME.err
//	random FILE SIZE           makes a file of noise, the same for a size each time
//	same FILE FILE             compares them
//	damage FILE OFFSET         changes a byte
//	events FILE NAME...        the file is NDJSON with exactly these events, runs counting once
//	field FILE EVENT NAME RE   a field of the last such event
//	get URL FILE               fetches by HTTP
//	unescape FILE...           puts bytes in for each \xNN, and removes the line's end
func TestScripts(t *testing.T) {
	// Whoever starts the tests behind nohup has SIGHUP ignored, which processes
	// inherit unless it is caught.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// The race detector makes each process wait a second at its end.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			server := httptest.NewServer(http.FileServer(http.Dir(e.WorkDir)))
			e.Defer(server.Close)
			e.Setenv("HTTP", server.URL)
			e.Setenv("ESC", "\x1b")
			e.Setenv("LONG", strings.Repeat("n", 255))
			e.Setenv("HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("XDG_STATE_HOME", filepath.Join(e.WorkDir, "state"))
			e.Setenv("XDG_CONFIG_HOME", filepath.Join(e.WorkDir, "config"))
			// Nor is a daemon of this machine, which no story may find.
			socket := filepath.Join(e.WorkDir, "run", "ctl.sock")
			e.Setenv("SWARM_SOCKET", socket)
			e.Defer(func() { endDaemon(socket) })
			var names []string
			for _, v := range e.Vars {
				name, _, _ := strings.Cut(v, "=")
				names = append(names, name)
			}
			for _, cmd := range leaves() {
				all := newFlags("")
				cmd.setup(all)
				all.VisitAll(func(f *pflag.Flag) { names = append(names, envName(f.Name)) })
			}
			e.Values["names"] = names
			all := make(map[string]*spawned)
			e.Values["spawned"] = all
			e.Defer(func() {
				for _, p := range all {
					p.cmd.Process.Kill()
					<-p.ended
				}
			})
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails":  scriptFails,
			"exits":  scriptExits,
			"spawn":  scriptSpawn,
			"await":  scriptAwait,
			"until":  scriptUntil,
			"signal": scriptSignal,
			"reap":   scriptReap,
			"random": scriptRandom,
			"same":   scriptSame,
			"damage": scriptDamage,
			"events": scriptEvents,
			"field":  scriptField,
			"get":    scriptGet,

			"unescape": scriptUnescape,
		},
	})
}

// endDaemon ends a daemon that a command has left behind, of a story that failed.
func endDaemon(socket string) {
	if _, err := os.Lstat(socket); err != nil {
		return
	}
	cmd := exec.Command("node", "shutdown", "--socket", socket)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	_ = cmd.Run() // mostly the story has killed it
}

func exitsWith(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d\nstdout:\n%sstderr:\n%s", got, want, ts.ReadFile("stdout"),
			ts.ReadFile("stderr"))
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) { exitsWith(ts, args) }

// failTimeMax bounds the time for an error to appear: a tenth of a second, and the rest
// for a machine under load.
const failTimeMax = 20 * time.Second

func scriptFails(ts *testscript.TestScript, _ bool, args []string) {
	start := time.Now()
	exitsWith(ts, args)
	if stderr := ts.ReadFile("stderr"); strings.Count(stderr, "\n") != 1 ||
		!strings.HasPrefix(stderr, "node: ") {
		ts.Fatalf("stderr is not one line of an error:\n%s", stderr)
	}
	if stdout := ts.ReadFile("stdout"); stdout != "" {
		ts.Fatalf("stdout is not empty:\n%s", stdout)
	}
	if took := time.Since(start); took > failTimeMax {
		ts.Fatalf("took %v, want less than %v", took, failTimeMax)
	}
}

// A spawned is a process in the background.
type spawned struct {
	cmd      *exec.Cmd
	out, err output
	ended    chan struct{}
}

// An output keeps what a process writes, and wakes those who wait for more.
type output struct {
	mu   sync.Mutex
	text []byte
	more chan struct{}
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return len(p), nil
}

// read returns what was written, and a channel that is closed when there is more.
func (o *output) read() ([]byte, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return bytes.Clone(o.text), o.more
}

func processes(ts *testscript.TestScript) map[string]*spawned {
	return ts.Value("spawned").(map[string]*spawned)
}

func process(ts *testscript.TestScript, name string) *spawned {
	p := processes(ts)[name]
	if p == nil {
		ts.Fatalf("no process %s", name)
	}
	return p
}

func scriptSpawn(ts *testscript.TestScript, _ bool, args []string) {
	p := &spawned{cmd: exec.Command(args[1], args[2:]...), ended: make(chan struct{})}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	p.cmd.Path = path
	p.cmd.Dir = ts.MkAbs(".")
	for _, name := range ts.Value("names").([]string) {
		p.cmd.Env = append(p.cmd.Env, name+"="+ts.Getenv(name))
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	ts.Check(p.cmd.Start())
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	processes(ts)[args[0]] = p
}

// scriptTimeout is how long a script waits for anything: far longer than it
// takes on a busy machine.
const scriptTimeout = 4 * time.Minute

func scriptAwait(ts *testscript.TestScript, _ bool, args []string) {
	p := process(ts, args[0])
	o := &p.out
	if args[1] == "err" {
		o = &p.err
	}
	re, err := regexp.Compile("(?m)" + args[2])
	ts.Check(err)
	timeout := time.After(scriptTimeout)
	ended := p.ended
	for over := false; ; {
		text, more := o.read()
		if m := re.FindSubmatch(text); m != nil {
			if len(args) > 3 {
				ts.Setenv(args[3], string(m[1]))
			}
			return
		}
		stderr, _ := p.err.read()
		if over {
			ts.Fatalf("%s has ended without a line %s; it has\n%sstderr:\n%s", args[0], args[2],
				text, stderr)
		}
		select {
		case <-more:
		case <-ended:
			over, ended = true, nil
		case <-timeout:
			ts.Fatalf("%s has no line %s after %v; it has\n%sstderr:\n%s", args[0], args[2],
				scriptTimeout, text, stderr)
		}
	}
}

func scriptUntil(ts *testscript.TestScript, _ bool, args []string) {
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(scriptTimeout)
	for {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && re.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			ts.Fatalf("no line %s after %v: %v", args[0], scriptTimeout, err)
		}
	}
}

func scriptSignal(ts *testscript.TestScript, _ bool, args []string) {
	number, ok := map[string]syscall.Signal{
		"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL,
		"USR1": syscall.SIGUSR1, "HUP": syscall.SIGHUP, "QUIT": syscall.SIGQUIT,
	}[args[1]]
	if !ok {
		ts.Fatalf("no signal %s", args[1])
	}
	ts.Check(process(ts, args[0]).cmd.Process.Signal(number))
}

func scriptReap(ts *testscript.TestScript, _ bool, args []string) {
	p := process(ts, args[0])
	select {
	case <-p.ended:
	case <-time.After(scriptTimeout):
		ts.Fatalf("%s has not ended after %v", args[0], scriptTimeout)
	}
	delete(processes(ts), args[0])
	out, _ := p.out.read()
	errors, _ := p.err.read()
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".out"), out, 0o644))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".err"), errors, 0o644))
	if got := fmt.Sprint(p.cmd.ProcessState.ExitCode()); got != args[1] {
		ts.Fatalf("%s exited with %s, want %s\nstderr:\n%s", args[0], got, args[1], errors)
	}
}

func scriptRandom(ts *testscript.TestScript, _ bool, args []string) {
	n, err := parseBytes(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.Create(path)
	ts.Check(err)
	defer f.Close()
	_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(n), byte(n >> 8), byte(n >> 16)}), n)
	ts.Check(err)
}

func scriptSame(ts *testscript.TestScript, _ bool, args []string) {
	a, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	if !bytes.Equal(a, b) {
		ts.Fatalf("%s and %s differ", args[0], args[1])
	}
}

func scriptDamage(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := parseBytes(args[1])
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b[offset] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// readEvents reads NDJSON and checks the common fields of all lines.
func readEvents(ts *testscript.TestScript, file string) []map[string]any {
	var all []map[string]any
	text := ts.ReadFile(file)
	if !strings.HasSuffix(text, "\n") {
		ts.Fatalf("%s does not end with a whole line", file)
	}
	for line := range strings.Lines(text) {
		var e map[string]any
		ts.Check(json.Unmarshal([]byte(line), &e))
		when, _ := e["t"].(string)
		if _, err := time.Parse(time.RFC3339Nano, when); err != nil || e["v"] != 1.0 ||
			e["event"] == nil {
			ts.Fatalf("not an event: %s", line)
		}
		all = append(all, e)
	}
	return all
}

func scriptEvents(ts *testscript.TestScript, _ bool, args []string) {
	var got []string
	for _, e := range readEvents(ts, args[0]) {
		// How often these come depends on the time that all took.
		switch name := e["event"].(string); name {
		case "progress", "dht", "reach", "link":
		default:
			got = append(got, name)
		}
	}
	if got = slices.Compact(got); !slices.Equal(got, args[1:]) {
		ts.Fatalf("events are %v, want %v", got, args[1:])
	}
}

func scriptField(ts *testscript.TestScript, _ bool, args []string) {
	var got any
	for _, e := range readEvents(ts, args[0]) {
		if e["event"] == args[1] {
			got = e[args[2]]
		}
	}
	text := fmt.Sprint(got)
	if n, ok := got.(float64); ok {
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	if most, ok := strings.CutPrefix(args[3], "<"); ok {
		limit, err := parseBytes(most)
		ts.Check(err)
		if n, ok := got.(float64); !ok || int64(n) >= limit {
			ts.Fatalf("%s of %s is %s, want %s", args[2], args[1], text, args[3])
		}
		return
	}
	if !regexp.MustCompile("^(?:" + args[3] + ")$").MatchString(text) {
		ts.Fatalf("%s of %s is %q, want %s", args[2], args[1], text, args[3])
	}
}

func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	client := http.Client{Timeout: scriptTimeout}
	answer, err := client.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", args[0], answer.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o644))
}

func scriptUnescape(ts *testscript.TestScript, _ bool, args []string) {
	escaped := regexp.MustCompile(`\\x[0-9a-f]{2}`)
	for _, file := range args {
		text := strings.TrimSuffix(ts.ReadFile(file), "\n")
		text = escaped.ReplaceAllStringFunc(text, func(s string) string {
			n, err := strconv.ParseUint(s[2:], 16, 8)
			ts.Check(err)
			return string([]byte{byte(n)})
		})
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}
