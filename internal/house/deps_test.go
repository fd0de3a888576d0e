package house

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dependencies are the modules that ARCHITECTURE.md says the product uses.
type dependencies struct {
	users   map[string][]string // by module: the packages that import it
	through []string            // the modules that are linked through those
	linked  string              // how many there are in all, as the text says
}

// dependencySection returns the section of ARCHITECTURE.md about dependencies.
func dependencySection(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Dependencies\n")
	if !found {
		t.Fatal("ARCHITECTURE.md has no section Dependencies")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

var quoted = regexp.MustCompile("`([^`]+)`")

// quotedIn returns the words between backticks, sorted.
func quotedIn(text string) (words []string) {
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	slices.Sort(words)
	return words
}

// parseDependencies reads the table, and the sentences below it that begin with
// "These modules are linked through them:" and "A build downloads the".
func parseDependencies(section string) (dependencies, error) {
	d := dependencies{users: make(map[string][]string)}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if rest, ok := strings.CutPrefix(line, "These modules are linked through them:"); ok {
			d.through = quotedIn(rest)
		}
		if rest, ok := strings.CutPrefix(line, "A build downloads the "); ok {
			d.linked, _, _ = strings.Cut(rest, " ")
		}
		cells := strings.Split(line, "|")
		if len(cells) == 5 && strings.Contains(cells[1], "/") {
			module := strings.TrimSpace(cells[1])
			if _, twice := d.users[module]; twice {
				return d, fmt.Errorf("two rows for %s", module)
			}
			if d.users[module] = quotedIn(cells[2]); strings.TrimSpace(cells[3]) == "" {
				return d, fmt.Errorf("no reason for %s", module)
			}
		}
	}
	if len(d.users) == 0 || len(d.through) == 0 || d.linked == "" {
		return d, fmt.Errorf("not found: the table, the list of modules, or their number")
	}
	return d, nil
}

// moduleOf returns the one of modules that has the package at path, or "".
func moduleOf(path string, modules []string) (longest string) {
	for _, m := range modules {
		if (path == m || strings.HasPrefix(path, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

// linked returns the packages of other modules in the binary and in the packages of swarm that
// other programs can import, and their modules, each sorted. The result is that of Linux on
// every system.
func linked(t *testing.T) (packages, modules []string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", "{{with .Module}}{{if not .Main}}{{$.ImportPath}} {{.Path}}{{end}}{{end}}",
		"./cmd/node", "./swarm/...")
	list.Dir = root
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	seen := make(map[string]bool)
	for line := range strings.Lines(string(out)) {
		if pkg, mod, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			packages, seen[mod] = append(packages, pkg), true
		}
	}
	slices.Sort(packages)
	return packages, slices.Sorted(maps.Keys(seen))
}

// importers returns, for each of modules that a product package imports itself, the
// packages that do, sorted.
func importers(t *testing.T, modules []string) map[string][]string {
	users := make(map[string][]string)
	for _, s := range sources(t, false) {
		if isTool(s.pkg()) {
			continue
		}
		for _, imported := range s.imports() {
			if standard(imported) || inModule(imported) {
				continue
			}
			mod := moduleOf(imported, modules)
			if mod == "" {
				t.Errorf("%s imports %s, of which nothing is in cmd/node", s.path, imported)
				continue
			}
			if user := strings.TrimPrefix(s.pkg(), module+"/"); !slices.Contains(users[mod], user) {
				users[mod] = append(users[mod], user)
				slices.Sort(users[mod])
			}
		}
	}
	return users
}

// ARCHITECTURE.md lists each module of the binary: with its users and its reason
// when a package of ours imports it, by name when it comes with another.
func TestDependenciesAreDocumented(t *testing.T) {
	documented, err := parseDependencies(dependencySection(t))
	if err != nil {
		t.Fatal("ARCHITECTURE.md, Dependencies:", err)
	}
	_, modules := linked(t)
	users := importers(t, modules)
	if want := fmt.Sprint(len(modules)); documented.linked != want {
		t.Errorf("ARCHITECTURE.md counts %s linked modules, the binary has %s: %q",
			documented.linked, want, modules)
	}
	for _, mod := range modules {
		row, direct := documented.users[mod]
		switch {
		case !slices.Equal(row, users[mod]):
			t.Errorf("ARCHITECTURE.md says that %q import %s; these do: %q", row, mod, users[mod])
		case direct == slices.Contains(documented.through, mod):
			t.Errorf("ARCHITECTURE.md should name %s either in the table or in the list below it", mod)
		}
	}
	for _, mod := range append(slices.Sorted(maps.Keys(documented.users)), documented.through...) {
		if !slices.Contains(modules, mod) {
			t.Errorf("ARCHITECTURE.md lists %s, which is not linked", mod)
		}
	}
}

// What go.mod requires for tests and tools is named in ARCHITECTURE.md too.
func TestRequiredModulesAreDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	section, direct := dependencySection(t), 0
	requirement := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`) // without "// indirect"
	for _, m := range requirement.FindAllStringSubmatch(string(text), -1) {
		if direct++; !strings.Contains(section, m[1]) {
			t.Errorf("go.mod requires %s, which ARCHITECTURE.md does not name", m[1])
		}
	}
	if direct == 0 {
		t.Error("no requirement found in go.mod")
	}
	tool := regexp.MustCompile(`(?m)^tool (\S+)$`)
	for _, m := range tool.FindAllStringSubmatch(string(text), -1) {
		if moduleOf(m[1], quotedIn(section)) == "" {
			t.Errorf("go.mod has the tool %s, which ARCHITECTURE.md does not name", m[1])
		}
	}
}

// The leaf packages of the DHT library are linked, its Server is not.
func TestDHTServerIsNotLinked(t *testing.T) {
	const library = "github.com/anacrolix/dht/v2"
	packages, _ := linked(t)
	if slices.Contains(packages, library) {
		t.Errorf("%s is linked: import its leaf packages only", library)
	}
	for _, leaf := range []string{"krpc", "int160", "bep44"} {
		if !slices.Contains(packages, library+"/"+leaf) {
			t.Errorf("%s/%s is not linked", library, leaf)
		}
	}
}

// The README says how much the first build downloads.
func TestReadmeCountsDownloads(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, modules := linked(t)
	want := fmt.Sprintf("The first build downloads %d modules", len(modules))
	if !strings.Contains(string(text), want) {
		t.Errorf("README.md does not say %q", want)
	}
}

func TestParseDependencies(t *testing.T) {
	const list = "These modules are linked through them: `x.org/b` by a.\n" +
		"A build downloads the 2 linked modules.\n"
	for _, c := range []struct{ why, text, want string }{
		{"a table and a list", "| module | where | why |\n| --- | --- | --- |\n" +
			"| x.org/a | `q`, `p` | it is good |\n" + list,
			"map[x.org/a:[p q]] [x.org/b] 2 <nil>"},
		{"no table", list, "not found: the table, the list of modules, or their number"},
		{"no reason", "| x.org/a | `p` | |\n" + list, "no reason for x.org/a"},
		{"twice", "| x.org/a | `p` | one |\n| x.org/a | `q` | two |\n" + list,
			"two rows for x.org/a"},
	} {
		d, err := parseDependencies(c.text)
		got := fmt.Sprintf("%v %v %v %v", d.users, d.through, d.linked, err)
		if !strings.HasSuffix(got, c.want) {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}
