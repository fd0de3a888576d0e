package house

import (
	"bytes"
	"go/ast"
	"strings"
	"testing"
)

// wrappers are packages whose exported names may show a third-party type, because
// wrapping it is their purpose.
var wrappers = map[string]string{}

// Types of other people's libraries stay inside the package that uses them.
func TestNoForeignTypesInAPI(t *testing.T) {
	allowed := except(wrappers)
	for _, s := range sources(t, false) {
		foreign := foreignNames(s)
		if len(foreign) == 0 || s.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range s.ast.Decls {
			for _, typ := range exportedTypes(decl) {
				ast.Inspect(typ, func(n ast.Node) bool {
					sel, ok := n.(*ast.SelectorExpr)
					if !ok {
						return true
					}
					if x, ok := sel.X.(*ast.Ident); ok && foreign[x.Name] != "" &&
						!allowed.allow(s.dir) {
						t.Errorf("%s: %s.%s of %s in an exported declaration", position(sel),
							x.Name, sel.Sel.Name, foreign[x.Name])
					}
					return true
				})
			}
		}
	}
	allowed.check(t)
}

// foreignNames maps the local names of third-party packages to their paths.
func foreignNames(s *source) map[string]string {
	names := make(map[string]string)
	for _, spec := range s.ast.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		if standard(path) || inModule(path) {
			continue
		}
		if spec.Name != nil {
			names[spec.Name.Name] = path
			continue
		}
		// The last element that is not a major version, without the prefix
		// that some repositories add to the name of their package.
		elements := strings.Split(path, "/")
		last := elements[len(elements)-1]
		if len(elements) > 1 && len(last) > 1 && last[0] == 'v' &&
			strings.Trim(last[1:], "0123456789") == "" {
			last = elements[len(elements)-2]
		}
		names[strings.TrimPrefix(last, "go-")] = path
	}
	return names
}

// exportedTypes returns the type expressions that another package can see: those of
// exported functions, of methods of exported types, of exported variables and constants,
// and of exported types without their unexported fields and methods.
func exportedTypes(decl ast.Decl) []ast.Expr {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && exportedReceiver(d) {
			return []ast.Expr{d.Type}
		}
	case *ast.GenDecl:
		var types []ast.Expr
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for i, name := range spec.Names {
					if !name.IsExported() {
						continue
					}
					if spec.Type != nil {
						types = append(types, spec.Type)
					} else if i < len(spec.Values) {
						// Without a type the value's shows: a literal or a conversion names it.
						types = append(types, spec.Values[i])
					}
				}
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					types = append(types, visible(spec.Type)...)
				}
			}
		}
		return types
	}
	return nil
}

// visible returns the parts of a type expression that other packages can see.
func visible(typ ast.Expr) []ast.Expr {
	var fields *ast.FieldList
	switch t := typ.(type) {
	case *ast.StructType:
		fields = t.Fields
	case *ast.InterfaceType:
		fields = t.Methods
	default:
		return []ast.Expr{typ}
	}
	var types []ast.Expr
	for _, field := range fields.List {
		exported := len(field.Names) == 0 // embedded
		for _, name := range field.Names {
			exported = exported || name.IsExported()
		}
		if exported {
			types = append(types, visible(field.Type)...)
		}
	}
	return types
}

// exportedReceiver reports whether a function has no receiver or one of an
// exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return true
	}
	typ := f.Recv.List[0].Type
	for {
		switch t := typ.(type) {
		case *ast.StarExpr:
			typ = t.X
		case *ast.IndexExpr:
			typ = t.X
		case *ast.IndexListExpr:
			typ = t.X
		case *ast.Ident:
			return t.IsExported()
		default:
			return true
		}
	}
}

// Every exported name is documented: functions, methods of exported types, types, and
// constants and variables, which may share the comment of their group.
func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range sources(t, false) {
		if s.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range s.ast.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && exportedReceiver(d) && d.Doc == nil && !obvious(d) {
					t.Errorf("%s: %s is not documented", position(d), d.Name.Name)
				}
			case *ast.GenDecl:
				checkSpecs(t, d)
			}
		}
	}
}

// obvious are methods whose contract the standard library defines.
func obvious(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return false
	}
	switch f.Name.Name {
	case "String", "Error", "Unwrap", "Len", "Less", "Swap":
		return true
	}
	return false
}

func checkSpecs(t *testing.T, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && spec.Comment == nil && (d.Doc == nil ||
				d.Lparen.IsValid()) {
				t.Errorf("%s: type %s is not documented", position(spec), spec.Name.Name)
			}
		case *ast.ValueSpec:
			if spec.Doc != nil || spec.Comment != nil || d.Doc != nil {
				continue
			}
			for _, name := range spec.Names {
				if name.IsExported() {
					t.Errorf("%s: %s is not documented", position(name), name.Name)
				}
			}
		}
	}
}

// Every package has one comment, in one of its files.
func TestPackagesAreDocumented(t *testing.T) {
	docs := make(map[string]int)
	for _, s := range sources(t, true) {
		if strings.HasSuffix(s.ast.Name.Name, "_test") {
			continue
		}
		docs[s.dir] += 0
		if s.ast.Doc != nil {
			docs[s.dir]++
		}
	}
	for dir, n := range docs {
		if n != 1 {
			t.Errorf("package in %s has %d package comments, want 1", dir, n)
		}
	}
}

// exampleless are packages of the product without an example.
var exampleless = map[string]string{
	"cmd/node":       "a command has its help, and sessions in testdata",
	"examples/embed": "is an example",
	"swarm/lsd":      "multicast reaches other machines, or nobody",
}

// Every other package of the product has an example with a checked output, which shows a
// newcomer its use.
func TestPackagesHaveExamples(t *testing.T) {
	allowed := except(exampleless)
	examples := make(map[string]int)
	for _, s := range sources(t, true) {
		if isTool(s.pkg()) {
			continue
		}
		examples[s.dir] += 0
		for _, decl := range s.ast.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && s.test && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example") &&
				bytes.Contains(s.text, []byte("// Output:")) {
				examples[s.dir]++
			}
		}
	}
	for dir, n := range examples {
		if n == 0 && !allowed.allow(dir) {
			t.Errorf("the package in %s has no example with an output: write one into "+
				"example_test.go", dir)
		}
	}
	allowed.check(t)
}
