package house

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

// embeddings are the structs that embed a pointer to a struct of the module, with the
// reason why each is that struct.
var embeddings = map[string]string{
	"swarm/core.piecesOf":      "a layout with one method more, as the picker asks for it",
	"swarm/storage.sharedDisk": "a disk whose users are counted",
}

// A struct does not embed a pointer to another struct of the module. That promotes all
// fields and methods of the other one, so that a reader cannot see whose state a line
// touches: a field with a name says it. A struct that is the other one, with something
// added, may embed it; embeddings says why.
func TestNoEmbeddedBackPointers(t *testing.T) {
	allowed := except(embeddings)
	structs := make(map[string]bool) // by directory and name
	eachStruct(t, func(s *source, name string, _ *ast.StructType) {
		structs[s.dir+"."+name] = true
	})
	eachStruct(t, func(s *source, name string, typ *ast.StructType) {
		for _, field := range typ.Fields.List {
			pointer, ok := field.Type.(*ast.StarExpr)
			if !ok || len(field.Names) > 0 {
				continue
			}
			other := structNamed(s, pointer.X)
			if structs[other] && !allowed.allow(s.dir+"."+name) {
				t.Errorf("%s: %s embeds a pointer to %s: give the field a name, and say it where "+
					"the fields and methods of %s are used", position(field), name, other, other)
			}
		}
	})
	allowed.check(t)
}

// eachStruct calls f for each declared struct of the product.
func eachStruct(t *testing.T, f func(s *source, name string, typ *ast.StructType)) {
	t.Helper()
	for _, s := range sources(t, false) {
		if isTool(s.pkg()) {
			continue
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if typ, ok := spec.Type.(*ast.StructType); ok {
					f(s, spec.Name.Name, typ)
				}
			}
			return true
		})
	}
}

// structNamed returns the directory and name of the type that an expression in a file
// names, or "" for a type of another module.
func structNamed(s *source, typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return s.dir + "." + typ.Name
	case *ast.IndexExpr:
		return structNamed(s, typ.X)
	case *ast.SelectorExpr:
		x, ok := typ.X.(*ast.Ident)
		if !ok {
			return ""
		}
		for _, spec := range s.ast.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			local := path.Base(imported)
			if spec.Name != nil {
				local = spec.Name.Name
			}
			if local == x.Name && inModule(imported) {
				return strings.TrimPrefix(imported, module+"/") + "." + typ.Sel.Name
			}
		}
	}
	return ""
}
