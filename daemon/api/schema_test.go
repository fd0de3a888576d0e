package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon/control"
	"swarmnode/daemon/stuck"
)

var update = flag.Bool("update", false, "write openapi.json")

// object is a JSON object.
type object = map[string]any

// A describer makes schemas of types.
type describer struct {
	docs    map[string]string // comments of types and fields: Type and Type.field
	schemas object
}

// comments returns the comments of the types in this package, and of their fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	docs := make(map[string]string)
	for _, name := range []string{"types.go", "types_views.go", "types_session.go",
		"types_making.go", "../settings.go", "../groups.go"} {
		tree, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range tree.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				typ, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				if typ.Name.Name != "Settings" || name == "types_session.go" {
					docs[typ.Name.Name] = text(gen.Doc)
				}
				if fields, ok := typ.Type.(*ast.StructType); ok {
					fieldComments(docs, typ.Name.Name, fields)
				}
			}
		}
	}
	return docs
}

// fieldComments collects the comments of fields. One comment may be about several fields: it is
// that of the first.
func fieldComments(docs map[string]string, typ string, fields *ast.StructType) {
	for _, f := range fields.Fields.List {
		for _, name := range f.Names {
			if doc := text(f.Doc); doc != "" {
				docs[typ+"."+name.Name] = doc
			} else {
				docs[typ+"."+name.Name] = text(f.Comment)
			}
		}
	}
}

// text returns a comment on one line.
func text(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }

// schema returns the schema of a type.
func (d *describer) schema(typ reflect.Type) object {
	switch typ {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[[]byte]():
		return object{"type": "string", "contentEncoding": "base64"}
	case durationType:
		return object{"type": "number", "description": "In seconds."}
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return d.schema(typ.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint16, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		if words := wordsOf[typ]; words != nil {
			return object{"type": "string", "enum": words}
		}
		return object{"type": "string"}
	case reflect.Interface: // of Stuck.Values
		return object{"type": []string{"integer", "string"}}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(typ.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(typ.Elem())}
	case reflect.Struct:
		d.define(typ, typ.Name(), false)
		return object{"$ref": "#/components/schemas/" + typ.Name()}
	}
	panic("no schema for " + typ.String())
}

// wordsOf are the words of the string types.
var wordsOf = map[reflect.Type][]string{
	reflect.TypeFor[Status](): {"stopped", "check-queued", "checking", "download-queued",
		"downloading", "seed-queued", "seeding"},
	reflect.TypeFor[StuckReason]():    stuckWords(),
	reflect.TypeFor[CreateFormat]():   {"v1", "v2", "hybrid"},
	reflect.TypeFor[CreationStatus](): {"hashing", "done", "failed", "cancelled"},
	reflect.TypeFor[GoalMode]():       {"global", "own", "none"},
	reflect.TypeFor[Action](): {"start", "start-now", "stop", "verify", "reannounce", "set",
		"move", "locate", "remove", "remove-data", "queue-top", "queue-up", "queue-down",
		"queue-bottom"},
}

// stuckWords are the reasons of package stuck.
func stuckWords() (words []string) {
	for _, reason := range stuck.Reasons {
		words = append(words, string(reason))
	}
	return words
}

// define makes the schema of a struct. In a part, any field but the first may be absent.
func (d *describer) define(typ reflect.Type, name string, part bool) {
	if d.schemas[name] != nil {
		return
	}
	d.schemas[name] = object{} // types may be in a circle
	properties, required := object{}, []string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		var s object
		if f.Tag.Get("schema") == "part" {
			d.define(f.Type.Elem(), "Part", true)
			s = object{"type": "array", "items": object{"$ref": "#/components/schemas/Part"}}
		} else {
			s = d.schema(f.Type)
		}
		if doc := d.docs[typ.Name()+"."+f.Name]; doc != "" {
			s = maps.Clone(s)
			s["description"] = doc
		}
		properties[key] = s
		if typ == settingsType && !part || options == "" && (!part || i == 0) {
			required = append(required, key)
		}
	}
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	switch {
	case name == "Part":
		s["description"] = "A Torrent of which only some fields are there."
	case name == "SettingsPatch":
		s["description"] = "Settings of which those that are not named stay."
	case d.docs[typ.Name()] != "":
		s["description"] = d.docs[typ.Name()]
	}
	d.schemas[name] = s
}

// body returns the description of the body of a request.
func (d *describer) body(r *route) object {
	typ := reflect.TypeOf(r.body)
	s := d.schema(typ)
	if typ == settingsType {
		d.define(typ, "SettingsPatch", true)
		s = object{"$ref": "#/components/schemas/SettingsPatch"}
	}
	content := object{"application/json": object{"schema": s}}
	if typ == reflect.TypeFor[Add]() {
		content[torrentType] = object{"schema": object{"type": "string", "format": "binary"}}
		content["multipart/form-data"] = object{"schema": object{"type": "object",
			"properties": object{"options": s,
				"torrent": object{"type": "string", "format": "binary"}},
			"required": []string{"torrent"}}}
	}
	return object{"required": !r.bodyOptional, "content": content}
}

// operation returns the description of a route.
func (d *describer) operation(r *route) object {
	op := object{"operationId": r.name, "summary": r.about, "security": []object{
		{"password": []string{}}, {"token": []string{}}, {"session": []string{}}, {}},
		"x-scope": r.scope.String()}
	if r.scope == control.None {
		op["security"] = []object{{}}
	}
	parameters := []object{}
	if strings.Contains(r.path, "{id}") {
		parameters = append(parameters, object{"name": "id", "in": "path", "required": true,
			"description": "The number of the torrent, or its info-hash.",
			"schema":      object{"type": "string"}})
	}
	if strings.Contains(r.path, "{name}") {
		parameters = append(parameters, object{"name": "name", "in": "path", "required": true,
			"description": "The name of the group.", "schema": object{"type": "string"}})
	}
	if strings.Contains(r.path, "{number}") {
		parameters = append(parameters, object{"name": "number", "in": "path", "required": true,
			"description": "The number of the creation.", "schema": object{"type": "integer"}})
	}
	for _, p := range r.query {
		parameters = append(parameters, object{"name": p.name, "in": "query",
			"description": p.about, "schema": object{"type": p.kind}})
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if r.body != nil {
		op["requestBody"] = d.body(r)
	}
	answer := object{"description": "Done."}
	switch {
	case r.answer != nil:
		answer["content"] = object{"application/json": object{
			"schema": d.schema(reflect.TypeOf(r.answer))}}
	case r.media != "":
		answer["content"] = object{r.media: object{}}
	}
	responses := object{
		statusText(r.status): answer,
		"default": object{"description": "An error (RFC 9457).", "content": object{
			problemType: object{"schema": d.schema(reflect.TypeFor[Problem]())}}},
	}
	if r.name == "listTorrents" {
		responses["304"] = object{"description": "Nothing changed since the ETag."}
	}
	op["responses"] = responses
	return op
}

func statusText(status int) string {
	b, _ := json.Marshal(status)
	return string(b)
}

// document returns the description of the interface, as its table and types say.
func document(t *testing.T) []byte {
	t.Helper()
	d := describer{docs: comments(t), schemas: object{}}
	paths := object{}
	for i := range routes {
		r := &routes[i]
		path, _ := paths[r.path].(object)
		if path == nil {
			path = object{}
			paths[r.path] = path
		}
		path[strings.ToLower(r.method)] = d.operation(r)
	}
	for _, event := range []any{Reset{}, Gone{}} {
		d.schema(reflect.TypeOf(event))
	}
	doc, err := json.MarshalIndent(object{
		"openapi": "3.1.0",
		"info": object{"title": "swarmnode", "version": statusText(Version),
			"description": "The control of a swarmnode daemon; see docs/api.md."},
		"servers": []object{{"url": Base}},
		"paths":   paths,
		"components": object{"schemas": d.schemas, "securitySchemes": object{
			"password": object{"type": "http", "scheme": "basic"},
			"token":    object{"type": "http", "scheme": "bearer"},
			"session": object{"type": "apiKey", "in": "cookie", "name": "swarmnode-PORT",
				"description": "The cookie that POST /login sets."}}},
	}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(doc, '\n')
}

// The document says what the table of routes and the types say. With -update it is written.
func TestOpenAPI(t *testing.T) {
	doc := document(t)
	if *update {
		if err := os.WriteFile("openapi.json", doc, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(doc, openapiDocument) {
		t.Error("openapi.json is not what the routes and types say (try: go test ./daemon/api " +
			"-run OpenAPI -update)")
	}
}

// Names are unique, and each route is below a scope that fits its method.
func TestRoutesAreInOrder(t *testing.T) {
	names := make(map[string]bool)
	for i := range routes {
		r := &routes[i]
		if names[r.name] {
			t.Errorf("two routes are called %s", r.name)
		}
		names[r.name] = true
		if r.method == "GET" && r.scope != control.Read && r.name != "browse" {
			t.Errorf("%s reads, and needs %v", r.name, r.scope)
		}
		if r.method != "GET" && r.scope < control.Control && r.scope != control.None {
			t.Errorf("%s changes something, and needs %v", r.name, r.scope)
		}
		if !strings.HasSuffix(r.about, ".") || r.status == 0 || r.serve == nil {
			t.Errorf("%s is not whole", r.name)
		}
	}
	for _, words := range wordsOf {
		if len(words) != len(slices.Compact(slices.Sorted(slices.Values(words)))) {
			t.Errorf("words twice: %q", words)
		}
	}
	if got := wordsOf[reflect.TypeFor[Status]()]; len(got) != len(statuses) {
		t.Errorf("%d statuses are described, there are %d", len(got), len(statuses))
	}
}

// docs/api.md has a row for each route, as the table says.
func TestRoutesAreDocumented(t *testing.T) {
	const path = "../../docs/api.md"
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for i := range routes {
		r := &routes[i]
		rows.WriteString("| " + r.method + " | `" + r.path + "` | " +
			strings.TrimSuffix(r.about, ".") + " | `" + r.scope.String() + "` |\n")
	}
	const head = "| method | path | what it does | scope |\n| --- | --- | --- | --- |\n"
	before, rest, found := strings.Cut(string(doc), head)
	_, after, ok := strings.Cut(rest, "\n\n")
	if !found || !ok {
		t.Fatal("docs/api.md has no table of routes")
	}
	want := before + head + rows.String() + "\n" + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(doc) {
		t.Error("the table of routes in docs/api.md is another one (try: go test ./daemon/api " +
			"-run Routes -update)")
	}
}
