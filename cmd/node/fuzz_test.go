package main

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// No command line and no environment makes the parser panic; a refusal is one line.
func FuzzCommandLine(f *testing.F) {
	for _, cmd := range leaves() {
		f.Add(cmd.path()+" --help", "")
		for _, e := range cmd.examples {
			f.Add(strings.TrimPrefix(e.line, "node "), "16K")
		}
	}
	f.Add("-q add --port=99999 --peer [::1]:1 x", "a,b")
	f.Add("dht put --seq -1 -- -x", "none")
	f.Fuzz(func(t *testing.T, line, env string) {
		got, err := parse(strings.Fields(line), func(string) (string, bool) {
			return env, env != ""
		})
		if err == nil {
			if !got.help && (got.command == nil || got.run == nil) {
				t.Fatalf("nothing to run for %q", line)
			}
			return
		}
		// A configuration file that does not exist is bad input.
		if code := exitCode(err); code != exitUsage && code != exitInput {
			t.Fatalf("%q: exit code %d, %v", line, code, err)
		}
		c, _, stderr := testConsole()
		c.finish(err)
		if strings.Count(stderr.String(), "\n") != 1 {
			t.Fatalf("%q: the error is %q", line, stderr)
		}
	})
}

// Text that is shown never holds a character that could steer a terminal.
func FuzzEscape(f *testing.F) {
	f.Add("plain")
	f.Add("a\x1b[31m\u202e\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool {
			return !unicode.IsPrint(r)
		}) {
			t.Fatalf("escape(%q) = %q", s, got)
		}
		if again := escape(got); again != got {
			t.Fatalf("escape(%q) = %q, and again %q", s, got, again)
		}
	})
}

// Values of flags are read or refused, and a value that is read can be written and read
// again.
func FuzzValues(f *testing.F) {
	for _, s := range []string{"16K", "1.5M", "0", "127.0.0.1:6881", "[::1]:7", ":0", "5m", "@list",
		"none"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := parseBytes(s); err == nil {
			if again, err := parseBytes(compactBytes(n)); err != nil || again != n {
				t.Fatalf("%q: %d is written %q and read %d, %v", s, n, compactBytes(n), again, err)
			}
		}
		var d timeValue
		if d.Set(s) == nil {
			var again timeValue
			if err := again.Set(d.String()); err != nil || again != d {
				t.Fatalf("%q: %v is read again as %v, %v", s, d, again, err)
			}
		}
		if a, err := parseListen(s); err == nil && a.host.IsValid() && a.host.Is4In6() {
			t.Fatalf("%q: %v", s, a.host)
		}
		_ = checkBootstrap(s)
	})
}
