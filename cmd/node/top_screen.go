package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// The control sequences of the screen (xterm; ECMA-48).
const (
	// screenEnter switches to the second screen, hides the cursor, and keeps lines from wrapping.
	screenEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	screenLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l"
	// frameBegin and frameEnd let terminals that can show a frame at once.
	frameBegin = "\x1b[?2026h"
	frameEnd   = "\x1b[?2026l"
	lineClear  = "\x1b[K"
)

// A topScreen is the terminal of top. close may be called by any goroutine, the rest by one.
type topScreen struct {
	out, in *os.File
	lines   []string // what is shown
	width   int
	height  int

	mu    sync.Mutex
	state *term.State // of the terminal before; nil while it is as it was
}

func newScreen(out, in *os.File) *topScreen { return &topScreen{out: out, in: in} }

// open takes the terminal.
func (s *topScreen) open() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	state, err := term.MakeRaw(int(s.in.Fd()))
	if err != nil {
		return err
	}
	s.state, s.lines, s.width = state, nil, 0
	s.out.WriteString(screenEnter)
	return nil
}

// close makes the terminal as it was. It may be called more than once.
func (s *topScreen) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == nil {
		return
	}
	s.out.WriteString(screenLeave)
	_ = term.Restore(int(s.in.Fd()), s.state) // there is no other way
	s.state = nil
}

// suspend stops the process as Ctrl-Z does, and takes the terminal again when it goes on.
func (s *topScreen) suspend() {
	s.close()
	stopProcess()
	_ = s.open() // a terminal that went away ends the program by a signal
}

// The size of a terminal that does not tell it.
const (
	usualWidth  = 80
	usualHeight = 24
)

// size returns how many columns and lines the terminal has.
func (s *topScreen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return usualWidth, usualHeight
	}
	return width, height
}

// show writes the lines that are others than those on the screen.
func (s *topScreen) show(lines []string, width, height int) {
	var b strings.Builder
	if width != s.width || height != s.height {
		b.WriteString("\x1b[2J")
		s.lines, s.width, s.height = nil, width, height
	}
	for i, line := range lines {
		if i < len(s.lines) && s.lines[i] == line {
			continue
		}
		fmt.Fprintf(&b, "\x1b[%d;1H%s%s", i+1, line, lineClear)
	}
	s.lines = lines
	if b.Len() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != nil {
		s.out.WriteString(frameBegin + b.String() + frameEnd)
	}
}

// keySequences are what terminals send for keys that are no characters, behind an escape.
var keySequences = map[string]string{
	"[A": "up", "[B": "down", "[C": "right", "[D": "left", "[H": "home", "[F": "end",
	"OA": "up", "OB": "down", "OC": "right", "OD": "left", "OH": "home", "OF": "end",
	"[1~": "home", "[4~": "end", "[5~": "pageup", "[6~": "pagedown", "[7~": "home", "[8~": "end",
}

// keyControls are the names of control characters.
var keyControls = map[byte]string{'\r': "enter", '\n': "enter", 0x7f: "backspace",
	'\b': "backspace", 3: "ctrl-c", 12: "ctrl-l", 26: "ctrl-z"}

// parseKeys returns the keys that a terminal has sent: characters, or names. What it does not
// know, it passes over.
func parseKeys(b []byte) (keys []string) {
	for len(b) > 0 {
		if b[0] == 0x1b {
			n := sequenceLength(b[1:])
			if name := keySequences[string(b[1:1+n])]; name != "" {
				keys = append(keys, name)
			} else if n == 0 {
				keys = append(keys, "esc")
			}
			b = b[1+n:]
			continue
		}
		if name := keyControls[b[0]]; name != "" {
			keys, b = append(keys, name), b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if unicode.IsPrint(r) && r != utf8.RuneError {
			keys = append(keys, string(r))
		}
		b = b[n:]
	}
	return keys
}

// sequenceLength returns the length of the control sequence that b begins with, 0 for none.
func sequenceLength(b []byte) int {
	if len(b) == 0 || b[0] != '[' && b[0] != 'O' {
		return 0
	}
	if b[0] == 'O' {
		return min(2, len(b))
	}
	for i := 1; i < len(b); i++ {
		if b[i] >= 0x40 && b[i] <= 0x7e {
			return i + 1
		}
	}
	return len(b)
}
