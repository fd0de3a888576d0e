package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// Each command has a page, which speaks of each of its flags, and each page that another one
// refers to exists.
func TestManPagesAreWhole(t *testing.T) {
	pages := manPages(time.Unix(0, 0))
	byName := make(map[string]string)
	for _, p := range pages {
		if byName[p.file()] != "" {
			t.Errorf("%s twice", p.file())
		}
		byName[p.file()] = p.text
		if !strings.HasPrefix(p.text, ".Dd January 1, 1970\n.Dt "+strings.ToUpper(p.name)) {
			t.Errorf("%s begins with %.60q", p.file(), p.text)
		}
	}
	for _, cmd := range leaves() {
		page := byName[fmt.Sprintf("node-%s.1", tableOf(cmd))]
		flags := commonFlags()
		cmd.setup(flags)
		flags.VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(page, `Fl \-`+f.Name) {
				t.Errorf("the page of %s does not name --%s", cmd.path(), f.Name)
			}
		})
	}
	for file, page := range byName {
		for line := range strings.Lines(page) {
			name, ok := strings.CutPrefix(strings.TrimPrefix(line, ".It "), "Xr ")
			if !ok {
				if name, ok = strings.CutPrefix(line, ".Xr "); !ok {
					continue
				}
			}
			words := strings.Fields(name)
			if byName[words[0]+"."+words[1]] == "" {
				t.Errorf("%s refers to %s(%s), which does not exist", file, words[0], words[1])
			}
		}
	}
	for _, table := range slices.Collect(maps.Values(flagTables())) {
		for _, key := range keysOf(table) {
			if !strings.Contains(byName["node.toml.5"], ".It Cm "+key+" = Ar ") {
				t.Errorf("node.toml.5 does not name %s", key)
			}
		}
	}
}

// The manual explains every exit code.
func TestExitCodesInTheManual(t *testing.T) {
	want := slices.Sorted(maps.Keys(reasons))
	if got := slices.Sorted(maps.Keys(exitMeanings)); !slices.Equal(got, want) {
		t.Errorf("exit codes of the manual %v, of the program %v", got, want)
	}
}

// A page has the date of its source, so that two builds make the same pages.
func TestManDate(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.FixedZone("", 9*3600))
	for epoch, want := range map[string]string{
		"0": "1970-01-01", "1700000000": "2023-11-14", "": "2030-01-01", "soon": "2030-01-01",
	} {
		env := func(name string) (string, bool) { return epoch, name == "SOURCE_DATE_EPOCH" }
		if got := manDate(env, now).Format(time.DateOnly); got != want {
			t.Errorf("SOURCE_DATE_EPOCH=%q: %s, want %s", epoch, got, want)
		}
	}
}

// Text stands for itself, whatever it has in common with the language of the page.
func TestMdoc(t *testing.T) {
	for text, want := range map[string]string{
		"one two":              "one two\n",
		"One. Two? (Three.) 4": "One.\nTwo?\n(Three.)\n4\n",
		".torrent files":       `\&.torrent files` + "\n",
		"a 'b' `c` ~d ^ \\":    `a \(aqb\(aq \(gac\(ga \(tid \(ha \e` + "\n",
		"well-known --flag":    `well-known \-\-flag` + "\n",
		"btih:…":               `btih:\[u2026]` + "\n",
		"a\n\nb":               "a\n.Pp\nb\n",
		"a\n\n  .b\n  c":       "a\n.Pp\n.Bd -literal -offset indent\n  .b\n  c\n.Ed\n",
		strings.Repeat("long ", 20): strings.Repeat("long ", 14) + "long\n" +
			strings.Repeat("long ", 4) + "long\n",
	} {
		m := new(mdoc)
		m.text(text)
		if got := m.b.String(); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	}
	for s, want := range map[string]string{"": `""`, "a b": `"a b"`, ".": `"."`, "x.y": "x.y",
		`"`: `\(dq`} {
		if got := mdocWord(s); got != want {
			t.Errorf("mdocWord(%q) = %s, want %s", s, got, want)
		}
	}
}
