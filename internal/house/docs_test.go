package house

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"go/ast"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// document is one Markdown file of the module.
type document struct {
	path string // relative to the module's directory, with slashes
	text string
}

// documents returns the Markdown files that describe the module as it is now:
// those of its directory and those below docs/. CHANGELOG.md is left out, since
// it speaks of the past.
func documents(t *testing.T) []document {
	t.Helper()
	names, err := filepath.Glob(root + "/*.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root+"/docs", func(name string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(name, ".md") {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var all []document
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), root+"/")
		if rel != "CHANGELOG.md" {
			all = append(all, document{rel, string(text)})
		}
	}
	return all
}

// The tests that documents name exist.
func TestDocumentedTestsExist(t *testing.T) {
	have := make(map[string]bool)
	for _, s := range sources(t, true) {
		for _, decl := range s.ast.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				have[f.Name.Name] = true
			}
		}
	}
	name := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9]*)`")
	for _, d := range documents(t) {
		for _, m := range name.FindAllStringSubmatch(d.text, -1) {
			if !have[m[1]] {
				t.Errorf("%s names %s, which does not exist", d.path, m[1])
			}
		}
	}
}

// The files and packages that documents name exist. A file may be named by the end of
// its path, as "picker/doc.go".
func TestDocumentedFilesExist(t *testing.T) {
	files := make(map[string]bool)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || strings.HasPrefix(entry.Name(), ".git") && entry.IsDir() {
			return cmp.Or(err, fs.SkipDir)
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), root+"/")
		for end := rel; ; {
			files[end] = true
			_, further, ok := strings.Cut(end, "/")
			if !ok {
				return nil
			}
			end = further
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile("`((?:[a-z0-9_]+/)*[a-z0-9_]+\\.(?:go|txtar)|" +
		"(?:swarm|dht|metainfo|internal|bench|cmd)/[a-z0-9_/]+)`")
	for _, d := range documents(t) {
		for _, m := range name.FindAllStringSubmatch(d.text, -1) {
			if !files[m[1]] {
				t.Errorf("%s names %s, which does not exist", d.path, m[1])
			}
		}
	}
}

// The files and headings that documents link to exist, and each document below
// docs/ is linked from another one.
func TestDocumentedLinksExist(t *testing.T) {
	all := documents(t)
	headings := make(map[string]map[string]bool)
	for _, d := range all {
		headings[d.path] = anchors(d.text)
	}
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	linked := make(map[string]bool)
	for _, d := range all {
		for _, m := range link.FindAllStringSubmatch(d.text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			target := d.path
			if file != "" {
				target = path.Join(path.Dir(d.path), file)
			}
			if _, err := os.Stat(path.Join(root, target)); err != nil {
				t.Errorf("%s links to %s, which does not exist", d.path, m[1])
				continue
			}
			if anchor != "" && !headings[target][anchor] {
				t.Errorf("%s links to %s, a heading that does not exist", d.path, m[1])
			}
			if target != d.path {
				linked[target] = true
			}
		}
	}
	for _, d := range all {
		if strings.HasPrefix(d.path, "docs/") && !linked[d.path] {
			t.Errorf("no document links to %s", d.path)
		}
	}
}

// A picture of a table begins with the hash of that table, so it shows the figures
// that stand beside it. A comment above a table names its pictures.
func TestPicturesShowTheirTables(t *testing.T) {
	marker := regexp.MustCompile(`(?m)^<!-- plot: ([a-z -]+) -->\n((?:\|.*\n)+)`)
	pictures := 0
	for _, d := range documents(t) {
		for _, m := range marker.FindAllStringSubmatch(d.text, -1) {
			for _, name := range strings.Fields(m[1]) {
				pictures++
				file := "docs/pictures/" + name + ".svg"
				if !strings.Contains(d.text, "pictures/"+name+".svg)") {
					t.Errorf("%s does not show %s", d.path, file)
				}
				text, err := os.ReadFile(path.Join(root, file))
				want := fmt.Sprintf("<!-- figures %x -->", sha256.Sum256([]byte(m[2])))
				if err != nil || !strings.Contains(string(text), want) {
					t.Errorf("%s does not show the table of %s (make plots): %v", file, d.path, err)
				}
			}
		}
	}
	if pictures < 4 {
		t.Errorf("%d pictures of tables, want at least 4", pictures)
	}
}

// anchors returns the anchors of a document's headings, as GitHub names them.
func anchors(text string) map[string]bool {
	all := make(map[string]bool)
	dropped := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if code || !strings.HasPrefix(line, "#") {
			continue
		}
		title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		all[strings.ReplaceAll(dropped.ReplaceAllString(title, ""), " ", "-")] = true
	}
	return all
}
