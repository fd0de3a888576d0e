// Package house keeps the rules of the house: which package may import which,
// what may appear in an exported signature, where clocks are read and
// goroutines started, how long a function and a file may get, and that every
// exported name is documented, and which file of swarm/core may touch which
// field. It holds tests only, and looks at the source with go/ast; the rule of
// the fields alone needs go/types. TestTable prints how large the house is.
//
// Each rule has a short list of exceptions with their reasons. An exception
// that is no longer needed fails the test too.
package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the module's path, the prefix of the import path of each package.
const module = "swarmnode"

// root is the module's directory as seen from this one.
const root = "../.."

// source is one parsed file of the module.
type source struct {
	path string // relative to the module's directory, with slashes
	dir  string // of path; "." for the module's directory
	test bool
	text []byte
	ast  *ast.File
}

// pkg is the import path of the package that the file belongs to.
func (s *source) pkg() string {
	if s.dir == "." {
		return module
	}
	return module + "/" + s.dir
}

// imports are the import paths of the file.
func (s *source) imports() []string {
	var paths []string
	for _, spec := range s.ast.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

var (
	fset  = token.NewFileSet()
	house = sync.OnceValues(load)
)

// load parses all Go files of the module, in the order of their paths.
func load() ([]*source, error) {
	var files []*source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			if base == "testdata" || base == "vendor" ||
				strings.HasPrefix(base, ".") && base != ".." {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		tree, err := parser.ParseFile(fset, rel, text,
			parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, &source{path: rel, dir: path.Dir(rel),
			test: strings.HasSuffix(base, "_test.go"), text: text, ast: tree})
		return nil
	})
	slices.SortFunc(files, func(a, b *source) int { return strings.Compare(a.path, b.path) })
	return files, err
}

// sources returns the files of the module: all of them, or those of the product
// and its tools alone, without tests.
func sources(t *testing.T, tests bool) []*source {
	t.Helper()
	files, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatal("no Go files found")
	}
	if tests {
		return files
	}
	return slices.DeleteFunc(slices.Clone(files), func(s *source) bool { return s.test })
}

// exceptions counts which of a rule's exceptions were used. The keys say what
// is excepted, the values why.
type exceptions struct {
	reasons map[string]string
	used    map[string]bool
}

func except(reasons map[string]string) *exceptions {
	return &exceptions{reasons, make(map[string]bool)}
}

// allow reports whether key is excepted.
func (e *exceptions) allow(key string) bool {
	if _, ok := e.reasons[key]; !ok {
		return false
	}
	e.used[key] = true
	return true
}

// check fails the test for exceptions that nothing needs.
func (e *exceptions) check(t *testing.T) {
	t.Helper()
	for key, reason := range e.reasons {
		if !e.used[key] {
			t.Errorf("the exception for %s (%s) is not needed any more: remove it", key, reason)
		}
	}
}

// position names the place of a node for a failure message.
func position(n ast.Node) string { return fset.Position(n.Pos()).String() }
