package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"swarmnode/swarm"
)

// The rules of output: standard output carries the result of a command and nothing else,
// or with --json one event a line. Everything for human eyes is on standard error.
// Errors, warnings and notes are one line each, as in "node: add: what: why (try: ...)".
// Progress is one line that is redrawn on a terminal, and an occasional line elsewhere.
// --quiet leaves only errors. Colours are used on standard error only, and only if it is
// a terminal that has them: the prefix of an error is red, "warning:" is yellow, and so
// is whatever goes wrong in the progress line. NO_COLOR, --no-color and TERM=dumb switch
// them off.

// A console prints everything that a command says. Its methods are safe for concurrent
// use.
type console struct {
	command string // for the prefix of lines, empty before it is known
	quiet   bool
	json    bool
	redraw  bool       // standard error is a terminal that can redraw a line
	silent  bool       // no progress at all
	colour  bool       // that terminal has colours, and the user wants them
	dumb    bool       // it cannot move its cursor
	width   func() int // columns of that terminal, 0 if unknown
	log     *slog.Logger
	hangups hangups      // what SIGHUP means
	stopMax atomic.Int64 // how long a clean stop may take, in nanoseconds; 0: stopTimeout
	words   []string     // what follows the command, for one that reads its flags again

	mu     sync.Mutex
	stdout io.Writer
	stderr io.Writer
	raw    bool        // standard output is not a terminal: results are not escaped
	line   string      // the progress line on the screen
	broken func(error) // called with the first failure to write
	failed error       // that failure
	ending func()      // makes the terminal as it was
	exited bool        // the exit event has been written
}

// newConsole returns the console of a process. It prints no progress until the flags are
// known.
func newConsole(stdout, stderr *os.File) *console {
	c := &console{
		stdout: stdout,
		stderr: stderr,
		raw:    !term.IsTerminal(int(stdout.Fd())),
		silent: true,
		broken: func(error) {},
	}
	c.width = func() int {
		w, _, err := term.GetSize(int(stderr.Fd()))
		if err != nil {
			return 0
		}
		return w
	}
	return c
}

// A screen is what standard error goes to.
type screen struct {
	terminal bool
	dumb     bool // it cannot move its cursor, nor does it have colours (TERM=dumb)
	plain    bool // no colours: NO_COLOR, --no-color, or a terminal of no known kind
}

// setProgress applies --progress and the abilities of the screen.
func (c *console) setProgress(mode string, on screen) {
	c.silent = mode == "none" || c.quiet || c.json
	c.redraw = mode == "bar" || mode == "auto" && on.terminal && !on.dumb
	c.colour = on.terminal && !on.dumb && !on.plain
	c.dumb = on.dumb
}

// painted returns s in a colour if colours are on.
func (c *console) painted(p paint, s string) string {
	if !c.colour {
		return s
	}
	return p.on(s)
}

// result prints one line of a command's result. With --json, events take its place.
func (c *console) result(s string) {
	if c.json {
		return
	}
	if !c.raw {
		s = escape(s)
	}
	c.write(s + "\n")
}

// text prints a result that is more than a line: help, a table, a file. With --json,
// events take its place.
func (c *console) text(s string) {
	if !c.json {
		c.write(s)
	}
}

// event prints one event of --json; body is a struct or nil.
func (c *console) event(name string, body any) {
	if !c.json {
		return
	}
	head := struct {
		V     int    `json:"v"`
		T     string `json:"t"`
		Event string `json:"event"`
	}{1, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), name}
	line := encode(head)
	if body != nil {
		if rest := encode(body); len(rest) > len("{}") {
			line = append(append(line[:len(line)-1], ','), rest[1:]...)
		}
	}
	c.write(string(line) + "\n")
}

// encode returns v as one line of JSON that is safe to show; v must be encodable.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("encoding an event: " + err.Error())
	}
	return escapeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func (c *console) write(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.exited || c.failed != nil {
		return
	}
	c.erase()
	_, err := io.WriteString(c.stdout, s)
	c.wrote(err)
	c.draw()
}

// wrote records the first failure to write to standard output.
func (c *console) wrote(err error) {
	if err == nil || c.failed != nil {
		return
	}
	c.failed = writeFailure(err)
	c.broken(c.failed)
}

// writeFailure returns the failure of a write to standard output.
func writeFailure(err error) error {
	code := exitOther
	if swarm.CauseOf(err) == swarm.CauseFull {
		code = exitDisk
	}
	return fail(code, "writing to standard output", err)
}

// togetherBytes is the size of the buffer for standard output, in bytes.
const togetherBytes = 64 << 10

// together buffers what list writes to standard output, which may be as many lines as a
// torrent has files.
func (c *console) together(list func()) {
	c.mu.Lock()
	stdout := c.stdout
	buffer := bufio.NewWriterSize(stdout, togetherBytes)
	c.stdout = buffer
	c.mu.Unlock()
	list()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stdout = stdout
	c.wrote(buffer.Flush())
}

// note prints a line for people, unless --quiet or --json is set.
func (c *console) note(format string, args ...any) {
	if !c.quiet && !c.json {
		c.say(fmt.Sprintf(format, args...))
	}
}

// warn reports something that does not end the command.
func (c *console) warn(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	c.event("warning", warningEvent{s})
	if !c.quiet {
		c.print(c.prefix() + c.painted(yellow, "warning:") + " " + escape(s))
	}
}

// say prints one line on standard error.
func (c *console) say(s string) { c.print(c.lineOf(s)) }

// lineOf returns a line for standard error, with the prefix that all lines have.
func (c *console) lineOf(s string) string { return c.prefix() + escape(s) }

func (c *console) prefix() string {
	prefix := escape(program) + ": "
	if c.command != "" {
		prefix += c.command + ": "
	}
	return prefix
}

// print writes one line on standard error, above the progress line.
func (c *console) print(s string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	io.WriteString(c.stderr, s+"\n")
	c.draw()
}

// Write lets a logger print whole lines above the progress line.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	n, err := c.stderr.Write(p)
	c.draw()
	return n, err
}

// progress shows the state of the work. On a terminal it replaces the last state;
// elsewhere it prints a line.
func (c *console) progress(l line) {
	if c.silent {
		return
	}
	if !c.redraw {
		c.print(escape(l.String()))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	columns := 0
	if w := c.width(); w > 0 {
		columns = max(w-1, 1) // a line that fills the last column wraps on some
	}
	c.erase()
	c.line = l.fit(columns, c.colour)
	c.draw()
}

// endProgress removes the progress line from the screen.
func (c *console) endProgress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.erase()
	c.line = ""
}

// keepProgress leaves the progress line on the screen for good. It does nothing while
// another goroutine is writing, because that write may wait for a reader that never
// comes.
func (c *console) keepProgress() {
	if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if c.line != "" {
		io.WriteString(c.stderr, "\n")
	}
	c.line = ""
}

// erase removes the progress line from the screen, and draw shows it again.
func (c *console) erase() {
	if c.line != "" {
		io.WriteString(c.stderr, "\r\x1b[K")
	}
}

func (c *console) draw() {
	if c.line != "" {
		io.WriteString(c.stderr, c.line)
	}
}

// cut shortens s to at most n characters, so that a redrawn line never wraps.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:max(n, 0)])
}

// atEnd sets what makes the terminal as it was, however the process ends.
func (c *console) atEnd(restore func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ending = restore
}

// restore makes the terminal as it was.
func (c *console) restore() {
	c.mu.Lock()
	ending := c.ending
	c.mu.Unlock()
	if ending != nil {
		ending()
	}
}

// finish prints how the command ended and returns the exit code.
func (c *console) finish(err error) int {
	c.mu.Lock()
	if err == nil {
		err = c.failed
	}
	c.mu.Unlock()
	code := exitCode(err)
	c.endProgress()
	if _, signalled := errors.AsType[stopped](err); err != nil && !signalled {
		e := errorEvent{Code: code, Message: c.lineOf(err.Error())}
		if f, ok := errors.AsType[*failure](err); ok {
			e.What, e.Why, e.Hint = f.what, f.why.Error(), f.hint
		}
		c.event("error", e)
		prefix := strings.TrimSuffix(c.prefix(), " ")
		c.print(c.painted(red, prefix) + " " + escape(err.Error()))
	}
	c.exit(code)
	return code
}

// exit writes the last event. Nothing is written to standard output after it.
func (c *console) exit(code int) {
	reason, ok := reasons[code]
	if !ok {
		reason = fmt.Sprintf("signal %d", code-128)
	}
	c.event("exit", exitEvent{code, reason})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exited = true
}
