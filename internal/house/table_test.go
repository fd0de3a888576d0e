package house

import (
	"bytes"
	"cmp"
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"testing"
)

const (
	// torrentMethodsMax is the most methods that core.Torrent may have.
	torrentMethodsMax = 99
	// testRatioMin is how many lines of tests the product has at least for each
	// line of code.
	testRatioMin = 0.9
	// rankedNames is how many names the table shows of each ranking.
	rankedNames = 5
)

// The table of the house: how large its parts are, and how well they are
// described and tested. To see it: go test ./internal/house -run Table -v
func TestTable(t *testing.T) {
	m := measure(t)
	t.Log(m.table())
	if n := m.methods["swarm/core.Torrent"]; n > torrentMethodsMax {
		t.Errorf("core.Torrent has %d methods, want at most %d: give the concern that a new method "+
			"is about a method of its own type", n, torrentMethodsMax)
	}
	if r := m.ratio(); r < testRatioMin {
		t.Errorf("the product has %.3f lines of tests for each line of code, want at least %.2f: "+
			"the table (-run Table -v) says where tests are few", r, testRatioMin)
	}
}

// measures are the sizes of the product: tools and tests of the module are left
// out, except in the lines of tests.
type measures struct {
	functions  map[string]int // lines, by package and name
	files      map[string]int // lines, by path
	fields     map[string]int // of each struct, by package and name
	methods    map[string]int // of each type, by package and name
	exported   int            // names that other packages can see
	documented int            // of them
	depth      map[string]int // packages in the longest chain of imports from each package
	code       map[string]int // lines, by package
	tests      map[string]int // lines of tests, by package
}

func measure(t *testing.T) *measures {
	t.Helper()
	m := &measures{functions: map[string]int{}, files: map[string]int{},
		fields: map[string]int{}, methods: map[string]int{}, code: map[string]int{},
		tests: map[string]int{}}
	imports := make(map[string][]string)
	for _, s := range sources(t, true) {
		if isTool(s.pkg()) {
			continue
		}
		lines := bytes.Count(s.text, []byte("\n"))
		if s.test {
			m.tests[s.dir] += lines
			continue
		}
		m.code[s.dir] += lines
		m.files[s.path] = lines
		for _, imported := range s.imports() {
			if inModule(imported) {
				imports[s.pkg()] = append(imports[s.pkg()], imported)
			}
		}
		for _, decl := range s.ast.Decls {
			m.add(s, decl)
		}
	}
	m.depth = make(map[string]int)
	for pkg := range imports {
		depthOf(pkg, imports, m.depth)
	}
	return m
}

// depthOf returns how many packages the longest chain of imports from pkg has.
func depthOf(pkg string, imports map[string][]string, depth map[string]int) int {
	if n, ok := depth[pkg]; ok {
		return n
	}
	deepest := 0
	for _, imported := range imports[pkg] {
		deepest = max(deepest, depthOf(imported, imports, depth))
	}
	depth[pkg] = deepest + 1
	return depth[pkg]
}

// add measures one declaration.
func (m *measures) add(s *source, decl ast.Decl) {
	public := s.ast.Name.Name != "main"
	switch d := decl.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			recv := receiverName(d)
			m.methods[s.dir+"."+recv]++
			name = recv + "." + name
		}
		m.functions[s.dir+"."+name] = fset.Position(d.End()).Line - fset.Position(d.Pos()).Line + 1
		if public && d.Name.IsExported() && exportedReceiver(d) && !obvious(d) {
			m.name(d.Doc != nil)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if typ, ok := spec.Type.(*ast.StructType); ok {
					m.fields[s.dir+"."+spec.Name.Name] = typ.Fields.NumFields()
					if public && spec.Name.IsExported() {
						m.addFields(typ)
					}
				}
				if public && spec.Name.IsExported() {
					m.name(d.Doc != nil || spec.Doc != nil || spec.Comment != nil)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if public && name.IsExported() {
						m.name(d.Doc != nil || spec.Doc != nil || spec.Comment != nil)
					}
				}
			}
		}
	}
}

// addFields counts the exported fields of a struct. Several in a row share the
// comment above the first one, as those of a group do.
func (m *measures) addFields(typ *ast.StructType) {
	documented, last := false, 0
	for _, field := range typ.Fields.List {
		if line := fset.Position(field.Pos()).Line; line != last+1 {
			documented = false
		}
		last = fset.Position(field.End()).Line
		documented = documented || field.Doc != nil
		for _, name := range field.Names {
			if name.IsExported() {
				m.name(documented || field.Comment != nil)
			}
		}
	}
}

func (m *measures) name(documented bool) {
	m.exported++
	if documented {
		m.documented++
	}
}

// receiverName returns the name of the type that a method belongs to.
func receiverName(f *ast.FuncDecl) string {
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
			return t.Name
		default:
			return "?"
		}
	}
}

func sum(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// ratio returns the lines of tests for each line of code.
func (m *measures) ratio() float64 { return float64(sum(m.tests)) / float64(sum(m.code)) }

func (m *measures) table() string {
	var b strings.Builder
	row := func(what string, n int, top string) {
		fmt.Fprintf(&b, "%-22s %6d   %s\n", what, n, top)
	}
	b.WriteString("\nthe house, tests and tools left out:\n")
	row("functions", len(m.functions), "lines: "+top(m.functions))
	row("files", len(m.files), "lines: "+top(m.files))
	row("structs", len(m.fields), "fields: "+top(m.fields))
	row("types with methods", len(m.methods), "methods: "+top(m.methods))
	row("exported names", m.exported, fmt.Sprintf("%.1f %% documented, fields included",
		100*float64(m.documented)/float64(m.exported)))
	row("packages", len(m.code), "depth of imports: "+top(m.depth))
	row("lines of code", sum(m.code), fmt.Sprintf("lines of tests: %d, ratio %.3f", sum(m.tests),
		m.ratio()))
	b.WriteString("\ntests for each line of code, least first:\n")
	dirs := make([]string, 0, len(m.code))
	for dir := range m.code {
		dirs = append(dirs, dir)
	}
	slices.SortFunc(dirs, func(a, b string) int {
		return cmp.Or(cmp.Compare(float64(m.tests[a])/float64(m.code[a]),
			float64(m.tests[b])/float64(m.code[b])), strings.Compare(a, b))
	})
	for _, dir := range dirs {
		fmt.Fprintf(&b, "%-22s %6.2f   %d of tests, %d of code\n", dir,
			float64(m.tests[dir])/float64(m.code[dir]), m.tests[dir], m.code[dir])
	}
	return b.String()
}

// top returns the names with the greatest counts.
func top(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b))
	})
	var list []string
	for _, name := range names[:min(rankedNames, len(names))] {
		list = append(list, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(list, ", ")
}
