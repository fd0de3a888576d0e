package house

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// The structs here hold the concerns, or are values without an invariant. Any file may
// read their fields, which is the way to a concern, and make such a value; only the files
// of their concern change one in place.
var (
	coreReadable = map[string]string{
		"Torrent":  "holds one field per concern",
		"peer":     "identifies a connection, and holds one field per concern",
		"gonePeer": "what is remembered of a connection that ended",
	}
	swarmReadable = map[string]string{
		"Engine":  "holds one field per concern",
		"Torrent": "holds one field per concern",
		"loop":    "holds one field per concern",
		"link":    "identifies a connection, and holds one field per concern",
		"names":   "the info-hashes of a torrent",
	}
)

// Each unexported struct of swarm/core and swarm belongs to the concern of its file: the
// file's name up to the first underscore. Only the files of a concern touch the
// fields of its structs; everybody else calls methods. So an invariant of a
// concern can be checked by reading the files of its name.
func TestFieldsAreTouchedByTheirOwners(t *testing.T) {
	for dir, readable := range map[string]*exceptions{
		"swarm/core": except(coreReadable), "swarm": except(swarmReadable),
	} {
		found := make(map[string][]string)
		files, info := typeCheck(t, dir)
		for _, use := range foreignUses(files, info, readable) {
			found[use.owner] = append(found[use.owner], use.String())
		}
		for owner, uses := range found {
			t.Errorf("fields of the structs in %s/%s*.go are touched in other files:\n\t%s\nGive "+
				"the struct a method that does what the other file wants, and call it there. If a "+
				"struct is a plain value without an invariant, name it in the list of its package "+
				"with the reason.", dir, owner, strings.Join(uses, "\n\t"))
		}
		readable.check(t)
	}
}

// The rule sees a field however it is touched, and lets pass what it says it does.
func TestFieldRuleSees(t *testing.T) {
	pkg := map[string]string{
		"queue_ring.go": `package p
			type ring struct{ head int; slots []int; sub struct{ n int } }
			type point struct{ x int }
			type Shown struct{ n int }
			func (r *ring) first() int { return r.slots[r.head] }`,
		"queue.go": `package p
			func own(r *ring) { r.head++ }`,
		"reader.go": `package p
			type holder struct{ r ring; p point }
			func f(h *holder, s *Shown) int {
				h.r.head = 1                  // 1
				h.r.slots[0]++                // 2
				other := ring{head: 3}        // 3
				n := (&h.r).sub.n             // 4 and 5
				for h.r.head = range 3 { }    // 6
				h.p.x = 4                     // 7: a value may be read, not changed
				return n + h.p.x + s.n + other.first() + point{x: 1}.x
			}`,
	}
	var files []*ast.File
	for _, name := range slices.Sorted(maps.Keys(pkg)) {
		file, err := parser.ParseFile(fset, "p/"+name, pkg[name], parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	readable := except(map[string]string{"point": "a value"})
	var got []string
	for _, use := range foreignUses(files, checkTypes(t, "p", files, nil), readable) {
		if use.owner != "queue" || !strings.HasPrefix(use.at, "p/reader.go:") {
			t.Errorf("a use that there is not: %v", use)
		}
		got = append(got, fmt.Sprintf("%s.%s %v", use.structName, use.field, use.write))
	}
	want := []string{"ring.head true", "ring.slots true", "ring.head false", "ring.sub false",
		"ring.n false", "ring.head true", "point.x true"}
	if !slices.Equal(got, want) {
		t.Errorf("the rule sees %q, want %q", got, want)
	}
	readable.check(t)
}

// A fieldUse is a field of a struct that is touched in a file of another concern.
type fieldUse struct {
	owner, structName, field string
	at                       string
	write                    bool
}

func (u fieldUse) String() string {
	verb := "reads"
	if u.write {
		verb = "sets"
	}
	return fmt.Sprintf("%s %s %s.%s of %s*.go", u.at, verb, u.structName, u.field, u.owner)
}

// concernOf returns the concern of a file: its name up to the first underscore.
func concernOf(file string) string {
	name, _, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".go"), "_")
	return name
}

// foreignUses returns the uses of fields in a package that the rule forbids. The fields
// of readable structs may be read.
func foreignUses(files []*ast.File, info *types.Info, readable *exceptions) []fieldUse {
	owners := fieldOwners(files, info)
	var uses []fieldUse
	for _, file := range files {
		here := concernOf(fset.Position(file.Pos()).Filename)
		written := writtenFields(file)
		ast.Inspect(file, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			if !ok {
				return true
			}
			v, ok := info.Uses[id].(*types.Var)
			if !ok || !v.IsField() {
				return true
			}
			// A field of an instance of a generic struct is a field of the struct.
			structName, ok := owners[v.Origin()]
			if !ok {
				return true
			}
			owner := concernOf(fset.Position(v.Pos()).Filename)
			exported := ast.IsExported(structName) && readable.reasons[structName] == ""
			if owner == here || exported || !written[id] && readable.allow(structName) {
				return true
			}
			uses = append(uses, fieldUse{owner: owner, structName: structName, field: id.Name,
				at: position(id), write: written[id]})
			return true
		})
	}
	return uses
}

// fieldOwners maps each field of a package's structs to the name of its struct:
// of the type declaration that it is part of.
func fieldOwners(files []*ast.File, info *types.Info) map[*types.Var]string {
	owners := make(map[*types.Var]string)
	for _, file := range files {
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				ast.Inspect(spec.Type, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok {
						if v, ok := info.Defs[id].(*types.Var); ok && v.IsField() {
							owners[v] = spec.Name.Name
						}
					}
					return true
				})
			}
		}
	}
	return owners
}

// writtenFields returns the field names that a file assigns to: as a whole, one
// element of them, or by ++ and --.
func writtenFields(file *ast.File) map[*ast.Ident]bool {
	written := make(map[*ast.Ident]bool)
	mark := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.ParenExpr:
				e = x.X
			case *ast.StarExpr:
				e = x.X
			case *ast.IndexExpr:
				e = x.X
			case *ast.SelectorExpr:
				written[x.Sel] = true
				return
			default:
				return
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Lhs {
				mark(e)
			}
		case *ast.IncDecStmt:
			mark(n.X)
		case *ast.RangeStmt:
			mark(n.Key)
			mark(n.Value)
		}
		return true
	})
	return written
}

// typeCheck type-checks a package of the module, tests left out. What the package
// imports is read as the compiler has left it in the build cache.
func typeCheck(t *testing.T, dir string) ([]*ast.File, *types.Info) {
	t.Helper()
	exports := exportData(t, dir)
	look := func(name string) (io.ReadCloser, error) { return os.Open(exports[name]) }
	var files []*ast.File
	for _, s := range sources(t, false) {
		if s.dir == dir && !raceOnly(s) {
			files = append(files, s.ast)
		}
	}
	return files, checkTypes(t, module+"/"+dir, files, importer.ForCompiler(fset, "gc", look))
}

// checkTypes returns what the names in the files of a package mean.
func checkTypes(t *testing.T, pkg string, files []*ast.File, from types.Importer) *types.Info {
	t.Helper()
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object),
		Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: from}
	if _, err := conf.Check(pkg, fset, files, info); err != nil {
		t.Fatal(err)
	}
	return info
}

// raceOnly reports whether a file is left out of a build without the race detector.
func raceOnly(s *source) bool {
	return slices.ContainsFunc(s.ast.Comments, func(group *ast.CommentGroup) bool {
		return group.List[0].Text == "//go:build race"
	})
}

// exportData returns the files with the export data of everything that a package
// imports, by import path.
func exportData(t *testing.T, dir string) map[string]string {
	t.Helper()
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		"./"+dir)
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("listing what %s imports: %v", dir, err)
	}
	exports := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[name] = file
	}
	return exports
}
