package house

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// hubs are the structs of swarm/core that hold the concerns. Any file may read
// their fields, since that is the way to a concern; only their own files set
// them.
var hubs = map[string]string{
	"Torrent": "holds one field per concern",
	"peer":    "identifies a connection, and holds one field per concern",
}

// values are structs of swarm/core without an invariant. Any file may make one
// and read it; only the files of its concern change one in place.
var values = map[string]string{
	"gonePeer": "what is remembered of a connection that ended",
}

// known is how many foreign uses of fields each concern of swarm/core still
// has. A number may only become smaller, and so may their sum: a concern that
// changes its name takes its number along.
var known = map[string]int{
	"torrent": 3,
}

// Each unexported struct of swarm/core belongs to the concern of its file: the
// file's name up to the first underscore. Only the files of a concern touch the
// fields of its structs; everybody else calls methods. So an invariant of a
// concern can be checked by reading the files of its name.
func TestFieldsAreTouchedByTheirOwners(t *testing.T) {
	found := make(map[string][]string)
	uses := foreignUses(t, "swarm/core")
	for _, use := range uses {
		found[use.owner] = append(found[use.owner], use.String())
	}
	if len(uses) <= sum(known) {
		t.Logf("%d foreign uses of fields, %d known", len(uses), sum(known))
		return
	}
	for owner, uses := range found {
		if len(uses) > known[owner] {
			t.Errorf("fields of the structs in %s*.go are touched %d times in other files, "+
				"want at most %d:\n\t%s\nGive the struct a method that does what the other file "+
				"wants, and call it there. If a struct is a plain value without an invariant, "+
				"name it in values with the reason. After renaming a file rename its entry in "+
				"known.", owner, len(uses), known[owner], strings.Join(uses, "\n\t"))
		}
	}
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

// foreignUses returns the uses of fields in dir that the rule forbids.
func foreignUses(t *testing.T, dir string) []fieldUse {
	t.Helper()
	files, info := typeCheck(t, dir)
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
			readable := hubs[structName] != "" || values[structName] != ""
			exported := ast.IsExported(structName) && hubs[structName] == ""
			if owner == here || exported || readable && !written[id] {
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
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object),
		Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: importer.ForCompiler(fset, "gc", look)}
	if _, err := conf.Check(module+"/"+dir, fset, files, info); err != nil {
		t.Fatal(err)
	}
	return files, info
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
