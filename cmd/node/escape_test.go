package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// hostileNames are names that strangers may choose: with characters that move the cursor,
// set the title of a terminal, or reverse text.
var hostileNames = []string{
	"esc \x1b]0;title\x07 bel", "del \x7f", "csi \u009b31m", "nel \u0085", "c1 \u0080\u009f",
	"rlo \u202ecod.exe", "lri \u2066 pdi \u2069", "mark \u200e\u200f\u061c",
	"zero \u200b\u2060\ufeff", "lines \u2028\u2029",
	"tags \U000e0001\U000e0041", "private \U000f0000", "unassigned \U0001fff0",
	"blank \u00a0\u3000", "tab \t\r\n",
}

func shown(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r)
	})
}

// Whatever names strangers choose, no line of --json and no line of the log holds a
// character that a terminal acts upon, and a program reads every name unchanged.
func TestJSONIsSafeToShow(t *testing.T) {
	for _, name := range hostileNames {
		c, stdout, stderr := testConsole()
		c.json = true
		c.event("torrent", torrentEvent{
			Name: name, Comment: name, Creator: name, Source: name, Trackers: [][]string{{name}},
			WebSeeds: []string{name},
			Nodes:    []string{name}, Peers: []string{name}, Renamed: []renamedEvent{{name, name}},
			Files: []listFileEvent{{Path: name, Link: name}},
		})
		line := strings.TrimSuffix(stdout.String(), "\n")
		if !shown(line) {
			t.Errorf("%q: the event %q acts on a terminal", name, line)
		}
		var e torrentEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v in %s", name, err, line)
		}
		for _, got := range []string{
			e.Name, e.Comment, e.Creator, e.Source, e.Trackers[0][0], e.WebSeeds[0], e.Nodes[0],
			e.Peers[0], e.Renamed[0].From,
			e.Files[0].Path, e.Files[0].Link,
		} {
			if got != name {
				t.Errorf("a program reads %q, want %q", got, name)
			}
		}
		stdout.Reset()
		c.warn("some %s", name)
		c.finish(fail(exitInput, name, errors.New(name)))
		for line := range strings.Lines(stdout.String() + stderr.String()) {
			if !shown(strings.TrimSuffix(line, "\n")) {
				t.Errorf("%q: the line %q acts on a terminal", name, line)
			}
		}
		for _, format := range []string{"text", "json"} {
			stderr.Reset()
			newLogger(c, 2, format).Info(name, slog.String("peer", name),
				slog.Any("err", errors.New(name)))
			if line := strings.TrimSuffix(stderr.String(), "\n"); !shown(line) {
				t.Errorf("%q: the log line %q acts on a terminal", name, line)
			}
		}
	}
}

// Text that needs no escape stays readable.
func TestJSONKeepsLetters(t *testing.T) {
	for _, name := range []string{"plain", "Größe", "日本語", "emoji 😀", `quotes " and \ <&>`} {
		if got := string(encode(name)); got != `"`+strings.NewReplacer(`\`, `\\`, `"`,
			`\"`).Replace(name)+`"` {
			t.Errorf("%q is written as %s", name, got)
		}
	}
}
