package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// listenAsSupervisor is the socket of a service manager. The process is told of it.
func listenAsSupervisor(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return conn
}

// heard returns the next notification within the time, or "" if none comes.
func heard(t *testing.T, conn *net.UnixConn, within time.Duration) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}

// quietConsole returns a console, and the file of its warnings.
func quietConsole(t *testing.T) (c *console, warnings string) {
	t.Helper()
	warnings = filepath.Join(t.TempDir(), "stderr")
	f, err := os.Create(warnings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return newConsole(f, f), warnings
}

// Notifications reach a socket of the file system, and one that has only a name.
func TestSupervisorIsTold(t *testing.T) {
	for what, name := range map[string]string{
		"a path":           filepath.Join(t.TempDir(), "notify"),
		"an abstract name": fmt.Sprintf("@swarmnode-test-%d", os.Getpid()),
	} {
		t.Run(what, func(t *testing.T) {
			conn := listenAsSupervisor(t, name)
			t.Setenv("WATCHDOG_USEC", "")
			c, warnings := quietConsole(t)
			s := newSupervisor(c)
			s.watch(func(context.Context) error {
				t.Error("asked without a watchdog")
				return nil
			})()
			s.reloading()
			s.ready("3 torrents,\nREADY=0")
			s.status("4 torrents")
			s.stopping()
			for _, want := range []string{`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\n$`,
				`^READY=1\nSTATUS=3 torrents, READY=0$`, `^STATUS=4 torrents$`,
				`^STOPPING=1\nSTATUS=stopping$`} {
				got := heard(t, conn, time.Minute)
				if !regexp.MustCompile(want).MatchString(got) {
					t.Errorf("told %q, want %s", got, want)
				}
			}
			if text, err := os.ReadFile(warnings); err != nil || len(text) > 0 {
				t.Errorf("said %q, %v", text, err)
			}
		})
	}
}

// The watchdog is told as long as the daemon answers.
func TestWatchdogStopsWhenTheDaemonHangs(t *testing.T) {
	conn := listenAsSupervisor(t, filepath.Join(t.TempDir(), "notify"))
	const period = 50 * time.Millisecond
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(period.Microseconds()))
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	c, _ := quietConsole(t)
	hang, hangs, release := make(chan struct{}), make(chan struct{}), make(chan struct{})
	stop := newSupervisor(c).watch(func(context.Context) error {
		select {
		case <-hang:
			hangs <- struct{}{}
			<-release
			return errors.New("answered late")
		default:
			return nil
		}
	})
	for range 5 {
		if got := heard(t, conn, time.Minute); got != "WATCHDOG=1" {
			t.Fatalf("told %q, want WATCHDOG=1", got)
		}
	}
	close(hang)
	<-hangs
	for range 100 { // what was sent before it hung
		if heard(t, conn, time.Millisecond) == "" {
			break
		}
	}
	if got := heard(t, conn, 10*period); got != "" {
		t.Errorf("told %q while the daemon hangs", got)
	}
	go func() {
		for range hangs { // it is asked again until the end
		}
	}()
	close(release)
	stop()
	close(hangs)
}

// A daemon that answers with an error is not alive, and the user learns why.
func TestWatchdogAndAnError(t *testing.T) {
	conn := listenAsSupervisor(t, filepath.Join(t.TempDir(), "notify"))
	t.Setenv("WATCHDOG_USEC", "20000")
	c, warnings := quietConsole(t)
	asked := make(chan bool)
	stop := newSupervisor(c).watch(func(ctx context.Context) error {
		_, limited := ctx.Deadline()
		select {
		case asked <- limited:
		case <-ctx.Done():
		}
		return errors.New("no list of torrents")
	})
	for range 3 {
		if !<-asked {
			t.Error("asked without a deadline")
		}
	}
	stop()
	if got := heard(t, conn, time.Millisecond); got != "" {
		t.Errorf("told %q", got)
	}
	text, err := os.ReadFile(warnings)
	if err != nil || !strings.Contains(string(text), "no list of torrents") {
		t.Errorf("said %q, %v", text, err)
	}
}

// What the service manager says of itself may be wrong, and it may be gone.
func TestSupervisorIsAway(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	t.Setenv("WATCHDOG_USEC", "often")
	c, warnings := quietConsole(t)
	s := newSupervisor(c)
	s.watch(func(context.Context) error { return errors.New("asked") })()
	s.ready("")
	s.stopping()
	text, err := os.ReadFile(warnings)
	if err != nil || strings.Count(string(text), "\n") != 2 ||
		strings.Count(string(text), "cannot be told") != 1 ||
		!strings.Contains(string(text), "watchdog") {
		t.Errorf("said %q, %v", text, err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000000")
	t.Setenv("WATCHDOG_PID", "1")
	c, warnings = quietConsole(t)
	s = newSupervisor(c)
	if s.ready("alone"); s.watchdog != 0 {
		t.Error("the watchdog of another process is used")
	}
	if text, err := os.ReadFile(warnings); err != nil || len(text) > 0 {
		t.Errorf("said %q, %v", text, err)
	}
}
