package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"
)

// A terminal shows one progress line, and everything else above it.
func TestConsoleRedraw(t *testing.T) {
	c, stdout, stderr := testConsole()
	c.redraw = true
	c.width = func() int { return 11 }
	c.progress(textLine("first line that is too long"))
	c.progress(textLine("second"))
	c.note("a note with \x1b[31m")
	c.result("result")
	c.endProgress()
	want := "first line" +
		"\r\x1b[Ksecond" +
		"\r\x1b[Knode: add: a note with \\x1b[31m\nsecond" +
		"\r\x1b[Ksecond" + // around the result
		"\r\x1b[K"
	if got := stderr.String(); got != want {
		t.Errorf("stderr\ngot  %q\nwant %q", got, want)
	}
	if got := stdout.String(); got != "result\n" {
		t.Errorf("stdout %q", got)
	}
}

func TestConsoleProgressModes(t *testing.T) {
	for _, m := range []struct {
		mode                     string
		terminal, dumb, quiet    bool
		wantRedraw, wantSilenced bool
	}{
		{"auto", true, false, false, true, false},
		{"auto", true, true, false, false, false},
		{"auto", false, false, false, false, false},
		{"bar", false, false, false, true, false},
		{"line", true, false, false, false, false},
		{"none", true, false, false, false, true},
		{"auto", true, false, true, true, true},
	} {
		c, _, _ := testConsole()
		c.quiet = m.quiet
		c.setProgress(m.mode, screen{terminal: m.terminal, dumb: m.dumb})
		if c.redraw != m.wantRedraw || c.silent != m.wantSilenced {
			t.Errorf("%+v: redraw %v, silent %v", m, c.redraw, c.silent)
		}
	}
}

// On a terminal, results are made safe; a program gets them unchanged.
func TestConsoleResult(t *testing.T) {
	c, stdout, _ := testConsole()
	c.result("a\x1bb")
	c.raw = false
	c.result("a\x1bb")
	if got := stdout.String(); got != "a\x1bb\na\\x1bb\n" {
		t.Errorf("stdout %q", got)
	}
}

func TestConsoleFinish(t *testing.T) {
	for _, f := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, 0, ""},
		{errors.New("plain"), 1, "node: add: plain\n"},
		{fail(exitDisk, "x", errors.New("full")), 7, "node: add: x: full\n"},
		{failWithHint(exitInput, "", errors.New("why"), "this"), 3, "node: add: why (try: this)\n"},
		{fail(exitInput, "a\nb", errors.New("two\nlines")),
			3, "node: add: a\\x0ab: two\\x0alines\n"},
		{stopped{syscall.SIGINT}, 130, ""},
		{stopped{syscall.SIGTERM}, 143, ""},
	} {
		c, stdout, stderr := testConsole()
		c.json = true
		if code := c.finish(f.err); code != f.code {
			t.Errorf("%v: code %d, want %d", f.err, code, f.code)
		}
		if got := stderr.String(); got != f.stderr {
			t.Errorf("%v: stderr %q, want %q", f.err, got, f.stderr)
		}
		events := strings.Count(stdout.String(), `"event":"error"`)
		if (events == 1) != (f.stderr != "") {
			t.Errorf("%v: %d error events", f.err, events)
		}
		c.event("late", nil)
		if got := stdout.String(); !strings.Contains(got, `"event":"exit"`) ||
			strings.Contains(got, "late") {
			t.Errorf("%v: the last event is not exit: %s", f.err, got)
		}
	}
}

// Warnings of the library look like those of the command. Lower levels are not shown, and
// the command reports errors itself.
func TestLogger(t *testing.T) {
	c, stdout, stderr := testConsole()
	c.json = true
	log := newLogger(c, 0, "text").With("torrent", "a1b2c3d4")
	log.Debug("debug")
	log.Info("info")
	log.Error("error")
	log.Warn("disk is full", "err", errors.New("no \x1b space"))
	if got, want := stderr.String(),
		"node: add: warning: disk is full torrent=a1b2c3d4: no \\x1b space\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	stderr.Reset()
	dns := &net.DNSError{Err: "no such host", Name: "a.example", Server: "192.0.2.53:53",
		IsNotFound: true}
	log.Warn("some cannot be used", "err", errors.Join(fmt.Errorf("resolving a.example:1: %w", dns),
		errors.New("x\ny"), errors.New("z")))
	if got, want := stderr.String(),
		"node: add: warning: some cannot be used torrent=a1b2c3d4: resolving a.example:1: no "+
			"such host, and 2 more\n"; got != want {
		t.Errorf("stderr %q, want %q", got, want)
	}
	if got := stdout.String(); !strings.Contains(got, `"event":"warning"`) {
		t.Errorf("stdout %q", got)
	}
	stderr.Reset()
	newLogger(c, 1, "text").Info("name", "name", "a\x1b[31m\u202e")
	if got := stderr.String(); strings.ContainsAny(got, "\x1b\u202e") ||
		!strings.Contains(got, "level=INFO") {
		t.Errorf("stderr %q", got)
	}
	stderr.Reset()
	newLogger(c, 2, "json").Log(t.Context(), slog.LevelDebug, "deep")
	if got := stderr.String(); !strings.HasPrefix(got, "{") {
		t.Errorf("stderr %q", got)
	}
}

// A broken standard output is reported once, and ends the command.
func TestConsoleBroken(t *testing.T) {
	c, _, _ := testConsole()
	c.stdout = brokenWriter{}
	var got []error
	c.broken = func(err error) { got = append(got, err) }
	c.result("one")
	c.result("two")
	if len(got) != 1 || exitCode(got[0]) != exitOther {
		t.Errorf("broken called with %v", got)
	}
	c.failed, got = nil, nil
	c.together(func() { c.result("a line that waits") })
	c.result("two")
	if len(got) != 1 || exitCode(got[0]) != exitOther {
		t.Errorf("broken called with %v behind a list", got)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// A long list is written in few parts, whole and in order, and later output follows it.
func TestConsoleTogether(t *testing.T) {
	c, _, _ := testConsole()
	var writes countingWriter
	c.stdout = &writes
	var want strings.Builder
	c.together(func() {
		for i := range 10_000 {
			c.result(fmt.Sprint("line ", i))
			fmt.Fprintln(&want, "line", i)
		}
	})
	c.result("behind")
	if got := writes.String(); got != want.String()+"behind\n" {
		t.Errorf("%d bytes, want %d", len(got), want.Len())
	}
	if most := want.Len()/togetherBytes + 2; writes.count > most {
		t.Errorf("%d writes, want at most %d", writes.count, most)
	}
}

type countingWriter struct {
	bytes.Buffer
	count int
}

func (w *countingWriter) Write(p []byte) (int, error) {
	w.count++
	return w.Buffer.Write(p)
}
