package house

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// between bounds how many functions may stand between two that an anatomy names one
// after the other. A reader finds the way from one to the next within that many.
const between = 3

// The anatomies of ARCHITECTURE.md name functions on the way of a block, a request, an
// upload slot and a magnet link, as `package.Type.method` or `package.function`. Each
// name exists. Within a numbered step each function leads to the next one: it calls
// that, directly or through a few functions between, or an earlier function of the step
// does, after it has called the ones in between. From step to step the way crosses a
// goroutine, the network or the disk.
func TestAnatomiesAreTrue(t *testing.T) {
	text, err := os.ReadFile(root + "/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	steps := anatomySteps(string(text))
	if len(steps) < 20 {
		t.Fatalf("the anatomies have %d numbered steps", len(steps))
	}
	g := callGraph(t)
	for _, s := range steps {
		var known []string
		for _, name := range s.names {
			key, kind := g.find(name)
			switch {
			case kind == "":
				t.Errorf("%s: there is no %s. After renaming or moving it, write the new name "+
					"into ARCHITECTURE.md", s, name)
			case kind == "func":
				known = append(known, key)
			}
		}
		if len(known) < 2 && s.walks {
			t.Errorf("%s: names fewer than two functions", s)
		}
		for i := 1; i < len(known); i++ {
			if why := g.leads(known[:i], known[i]); why != "" {
				t.Errorf("%s: %s. Write the way as it is now into ARCHITECTURE.md", s, why)
			}
		}
	}
}

// An anatomyStep is a numbered item of an anatomy.
type anatomyStep struct {
	anatomy string
	number  string
	names   []string
	walks   bool // it names functions that lead to one another
}

func (s anatomyStep) String() string { return s.anatomy + ", step " + s.number }

// anatomySteps returns the numbered items of the sections whose titles begin with
// "Anatomy".
func anatomySteps(text string) (steps []anatomyStep) {
	item := regexp.MustCompile(`^(\d+)\. `)
	name := regexp.MustCompile("`([a-z][a-z0-9]*(?:\\.[A-Za-z]\\w*){1,2})`")
	title := ""
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") {
			title = strings.TrimSpace(strings.TrimLeft(line, "#"))
			continue
		}
		m := item.FindStringSubmatch(line)
		if m == nil || !strings.HasPrefix(title, "Anatomy") {
			continue
		}
		s := anatomyStep{anatomy: title, number: m[1]}
		for _, m := range name.FindAllStringSubmatch(line, -1) {
			s.names = append(s.names, m[1])
		}
		s.walks = len(s.names) > 1
		steps = append(steps, s)
	}
	return steps
}

// A graph says which function of the product uses which, in the order of the source. A
// key is package.Type.method or package.function, with the import path of the package.
type graph struct {
	// uses has the functions that each declared function uses, by its key.
	uses map[string][]string
	// types has the methods of each type, by the key of the type: package.Type.
	types map[string]map[string]bool
	// ifaces has the methods of an interface, by the key of each of its methods.
	ifaces map[string][]string
	// exports has the files with export data, by import path.
	exports map[string]string
}

// callGraph reads the functions of all packages of the command, as they are built for
// this system.
func callGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{uses: make(map[string][]string), types: make(map[string]map[string]bool),
		ifaces: make(map[string][]string), exports: make(map[string]string)}
	list := exec.Command("go", "list", "-export", "-deps", "-f",
		"{{.ImportPath}}\t{{.Export}}\t{{range .GoFiles}}{{.}} {{end}}", "./cmd/node")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("listing the packages of the command: %v", err)
	}
	parsed := make(map[string]*ast.File)
	for _, s := range sources(t, false) {
		parsed[s.path] = s.ast
	}
	packages := make(map[string][]*ast.File)
	scan := bufio.NewScanner(strings.NewReader(string(out)))
	for scan.Scan() {
		fields := strings.Split(scan.Text(), "\t")
		name := fields[0]
		g.exports[name] = fields[1]
		if inModule(name) {
			dir := strings.TrimPrefix(strings.TrimPrefix(name, module), "/")
			for _, file := range strings.Fields(fields[2]) {
				packages[name] = append(packages[name], parsed[path.Join(dir, file)])
			}
		}
	}
	shared := importer.ForCompiler(fset, "gc", func(name string) (io.ReadCloser, error) {
		return os.Open(g.exports[name])
	})
	for name, files := range packages {
		g.read(t, name, files, shared)
	}
	return g
}

// read adds the functions and types of a package.
func (g *graph) read(t *testing.T, name string, files []*ast.File, from types.Importer) {
	t.Helper()
	info := &types.Info{Defs: make(map[*ast.Ident]types.Object),
		Uses: make(map[*ast.Ident]types.Object)}
	conf := types.Config{Importer: from}
	pkg, err := conf.Check(name, fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range pkg.Scope().Names() {
		g.readType(pkg.Scope().Lookup(word))
	}
	for _, file := range files {
		for _, decl := range file.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			user := keyOf(info.Defs[fn.Name].(*types.Func))
			g.uses[user] = []string{}
			type use struct {
				at  token.Pos
				key string
			}
			var found []use
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if !ok {
					return true
				}
				if used, ok := info.Uses[id].(*types.Func); ok && isOurs(used) {
					found = append(found, use{id.Pos(), keyOf(used)})
				}
				return true
			})
			slices.SortStableFunc(found, func(a, b use) int { return int(a.at - b.at) })
			for _, u := range found {
				g.uses[user] = append(g.uses[user], u.key)
			}
		}
	}
}

// readType adds a named type, and what an interface demands.
func (g *graph) readType(object types.Object) {
	name, ok := object.(*types.TypeName)
	if !ok || name.IsAlias() {
		return
	}
	key := name.Pkg().Path() + "." + name.Name()
	g.types[key] = make(map[string]bool)
	if iface, ok := name.Type().Underlying().(*types.Interface); ok {
		var methods []string
		for m := range iface.Methods() {
			methods = append(methods, m.Name())
		}
		for _, m := range methods {
			g.ifaces[key+"."+m] = methods
		}
		return
	}
	set := types.NewMethodSet(types.NewPointer(name.Type()))
	for sel := range set.Methods() {
		g.types[key][sel.Obj().Name()] = true
	}
}

// keyOf returns the key of a function; methods of interfaces have one, too.
func keyOf(f *types.Func) string {
	f = f.Origin()
	prefix := f.Pkg().Path()
	if recv := f.Signature().Recv(); recv != nil {
		typ := recv.Type()
		if p, ok := typ.(*types.Pointer); ok {
			typ = p.Elem()
		}
		if named, ok := typ.(*types.Named); ok {
			prefix += "." + named.Obj().Name()
		}
	}
	return prefix + "." + f.Name()
}

// isOurs reports whether a function is one of ours.
func isOurs(f *types.Func) bool {
	return f.Pkg() != nil && inModule(f.Pkg().Path())
}

// find returns the key of what a document calls name, and whether it is a func, a type
// or, with an empty kind, nothing.
func (g *graph) find(name string) (key, kind string) {
	for key := range g.uses {
		if shortName(key) == name {
			return key, "func"
		}
	}
	for key := range g.types {
		if shortName(key) == name {
			return key, "type"
		}
	}
	for key := range g.ifaces {
		if shortName(key) == name {
			return key, "type"
		}
	}
	return "", ""
}

// shortName is the key with the last element of the import path alone.
func shortName(key string) string { return key[strings.LastIndex(key, "/")+1:] }

// next returns the functions that a function uses, in order. A method of an interface
// stands for those of all types that have its methods.
func (g *graph) next(key string) (all []string) {
	for _, used := range g.uses[key] {
		methods, ok := g.ifaces[used]
		if !ok {
			all = append(all, used)
			continue
		}
		word := used[strings.LastIndex(used, ".")+1:]
		for typ, has := range g.types {
			if !slices.ContainsFunc(methods, func(m string) bool { return !has[m] }) {
				all = append(all, typ+"."+word)
			}
		}
	}
	return all
}

// steps returns how many calls lead from one function to another, or -1 if more than
// are allowed do.
func (g *graph) steps(from, to string) int {
	seen, edge := map[string]bool{from: true}, []string{from}
	for n := range between + 2 {
		var further []string
		for _, f := range edge {
			if f == to {
				return n
			}
			for _, used := range g.next(f) {
				if !seen[used] {
					seen[used] = true
					further = append(further, used)
				}
			}
		}
		edge = further
	}
	return -1
}

// leads says why no function of a way leads to the next one; empty if one does. A
// function before the last one must call the next one behind the one that it called
// last.
func (g *graph) leads(way []string, to string) string {
	for i := len(way) - 1; i >= 0; i-- {
		if g.steps(way[i], to) <= 0 {
			continue
		}
		if i == len(way)-1 || g.inOrder(way[i], way[i+1], to) {
			return ""
		}
		return fmt.Sprintf("%s leads to %s before %s", shortName(way[i]), shortName(to),
			shortName(way[i+1]))
	}
	return fmt.Sprintf("neither %s nor a function before it leads to %s",
		shortName(way[len(way)-1]), shortName(to))
}

// inOrder reports whether a function calls what leads to second behind a call that leads
// to first. Calls through an interface have no order.
func (g *graph) inOrder(from, first, second string) bool {
	after := false
	for _, used := range g.next(from) {
		if after && (used == second || g.steps(used, second) >= 0) {
			return true
		}
		after = after || used == first || g.steps(used, first) >= 0
	}
	return false
}

// The test above tells true ways from false ones.
func TestWalksAreJudged(t *testing.T) {
	g := &graph{
		uses: map[string][]string{
			"m/a.T.run": {"m/a.T.take", "m/a.T.give"}, "m/a.T.take": {"m/b.Sink.Put"},
			"m/a.T.give": {}, "m/b.box.Put": {}, "m/a.far": {"m/a.f1"}, "m/a.f1": {"m/a.f2"},
			"m/a.f2": {"m/a.f3"}, "m/a.f3": {"m/a.f4"}, "m/a.f4": {"m/a.f5"}, "m/a.f5": {},
		},
		types:  map[string]map[string]bool{"m/b.box": {"Put": true}, "m/b.Sink": {}},
		ifaces: map[string][]string{"m/b.Sink.Put": {"Put"}},
	}
	for name, want := range map[string]string{"a.T.run": "func", "b.box": "type", "a.T.stop": ""} {
		if _, kind := g.find(name); kind != want {
			t.Errorf("%s is a %q, want %q", name, kind, want)
		}
	}
	for _, tt := range []struct {
		way  []string
		to   string
		fine bool
	}{
		{[]string{"m/a.T.run"}, "m/a.T.take", true},
		{[]string{"m/a.T.run", "m/a.T.take"}, "m/a.T.give", true},
		{[]string{"m/a.T.run", "m/a.T.give"}, "m/a.T.take", false},
		{[]string{"m/a.T.take"}, "m/b.box.Put", true},
		{[]string{"m/a.T.give"}, "m/a.T.take", false},
		{[]string{"m/a.far"}, "m/a.f4", true},
		{[]string{"m/a.far"}, "m/a.f5", false},
	} {
		if why := g.leads(tt.way, tt.to); (why == "") != tt.fine {
			t.Errorf("%v to %s: %q", tt.way, tt.to, why)
		}
	}
}
