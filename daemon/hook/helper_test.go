package hook

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// This test binary is also the command of the tests: HOOK_DO says what it does.
func TestMain(m *testing.M) {
	do := os.Getenv("HOOK_DO")
	if do == "" {
		os.Exit(m.Run())
	}
	what, arg, _ := strings.Cut(do, " ")
	switch what {
	case "env":
		fmt.Print(os.Getenv(arg))
	case "args":
		fmt.Printf("%q", os.Args[1:])
	case "where":
		dir, _ := os.Getwd()
		fmt.Print(dir)
	case "stdin":
		rest, err := io.ReadAll(os.Stdin)
		fmt.Printf("%d bytes, %v", len(rest), err)
	case "print":
		fmt.Print(strings.Repeat("x", 1<<20), "\n")
	case "fail":
		fmt.Fprintln(os.Stderr, "it went\twrong \x1b[31m\xff")
		os.Exit(7)
	case "crash":
		panic("on purpose")
	case "hang", "stubborn":
		if what == "stubborn" {
			signal.Ignore(syscall.SIGTERM)
		}
		touch(arg)
		for range time.Tick(time.Hour) { // an empty select would count as a deadlock
		}
	case "fork":
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "HOOK_DO=hang "+arg)
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			fmt.Print(err)
			os.Exit(1)
		}
		for range time.Tick(time.Millisecond) { // until the child lives
			if _, err := os.Stat(arg); err == nil {
				return
			}
		}
	}
}

// touch makes the file path, with our process id in it.
func touch(path string) {
	if err := os.WriteFile(path+".new", fmt.Append(nil, os.Getpid()), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		panic(err)
	}
}

// A journal is a log that tests read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// quickRace lets a program with the race detector end at once, instead of after a second.
const quickRace = "GORACE=atexit_sleep_ms=0"

// do returns a command that does what.
func do(t *testing.T, what string, args ...string) Command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Args: append([]string{self}, args...), Event: "on-test", Torrent: "abcdef",
		Env: []string{"HOOK_DO=" + what, quickRace}}
}

// patience is how long tests wait for what must happen.
const patience = time.Minute

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-tick.C:
		}
	}
}

// run runs commands to their end, and returns the log.
func run(t *testing.T, times times, commands ...Command) string {
	t.Helper()
	var log journal
	r := newRunner(log.logger(), times)
	defer r.Close()
	for _, c := range commands {
		if err := r.Run(c); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all commands have ended", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.running == 0
	})
	return log.String()
}

// long are times that no test reaches.
var long = times{time.Hour, time.Hour, time.Hour, time.Hour}
