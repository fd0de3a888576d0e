package api

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A validator holds JSON against the schemas of openapi.json.
type validator struct {
	document object
}

func newValidator(t *testing.T) *validator {
	t.Helper()
	v := new(validator)
	if err := json.Unmarshal(openapiDocument, &v.document); err != nil {
		t.Fatal(err)
	}
	return v
}

// get follows keys into the document.
func (v *validator) get(keys ...string) object {
	at := v.document
	for _, key := range keys {
		at, _ = at[key].(object)
	}
	return at
}

// answer returns what is wrong with an answer to a route.
func (v *validator) answer(r *route, a answer) error {
	op := v.get("paths", r.path, strings.ToLower(r.method))
	responses, _ := op["responses"].(object)
	response, ok := responses[fmt.Sprint(a.status)].(object)
	if !ok {
		response, ok = responses["default"].(object)
	}
	if !ok {
		return fmt.Errorf("status %d is not described", a.status)
	}
	content, ok := response["content"].(object)
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	if !ok {
		if len(a.body) > 0 {
			return fmt.Errorf("a body that is not described: %s", a.body)
		}
		return nil
	}
	media, ok := content[kind].(object)
	if !ok {
		return fmt.Errorf("the content type %q is not described", kind)
	}
	schema, ok := media["schema"].(object)
	if !ok {
		return nil
	}
	var value any
	if err := json.Unmarshal(a.body, &value); err != nil {
		return err
	}
	return v.check("body", value, schema)
}

// check returns what is wrong with a value.
func (v *validator) check(where string, value any, schema object) error {
	if ref, ok := schema["$ref"].(string); ok {
		return v.check(where, value, v.get(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...))
	}
	wrong := fmt.Errorf("%s: %v is no %v", where, value, schema["type"])
	if kinds, ok := schema["type"].([]any); ok {
		for _, kind := range kinds {
			if v.check(where, value, object{"type": kind}) == nil {
				return nil
			}
		}
		return wrong
	}
	switch schema["type"] {
	case "string":
		text, ok := value.(string)
		if !ok {
			return wrong
		}
		if words, ok := schema["enum"].([]any); ok && !slices.Contains(words, value) {
			return fmt.Errorf("%s: %q is none of %v", where, text, words)
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, text); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
	case "boolean":
		if _, ok := value.(bool); !ok {
			return wrong
		}
	case "number", "integer":
		n, ok := value.(float64)
		if !ok || schema["type"] == "integer" && n != math.Trunc(n) {
			return wrong
		}
	case "array":
		list, ok := value.([]any)
		if !ok {
			return wrong
		}
		items, _ := schema["items"].(object)
		for i, one := range list {
			if err := v.check(fmt.Sprintf("%s[%d]", where, i), one, items); err != nil {
				return err
			}
		}
	case "object":
		fields, ok := value.(object)
		if !ok {
			return wrong
		}
		return v.checkObject(where, fields, schema)
	default:
		return fmt.Errorf("%s: a schema without a type: %v", where, schema)
	}
	return nil
}

// checkObject returns what is wrong with an object.
func (v *validator) checkObject(where string, fields, schema object) error {
	properties, _ := schema["properties"].(object)
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := fields[name.(string)]; !ok {
			return fmt.Errorf("%s: %v is missing", where, name)
		}
	}
	for name, value := range fields {
		property, ok := properties[name].(object)
		if !ok {
			if property, ok = schema["additionalProperties"].(object); !ok {
				return fmt.Errorf("%s: %s is not described", where, name)
			}
		}
		if err := v.check(where+"."+name, value, property); err != nil {
			return err
		}
	}
	return nil
}

// routeNamed returns a route.
func routeNamed(t *testing.T, name string) *route {
	t.Helper()
	for i := range routes {
		if routes[i].name == name {
			return &routes[i]
		}
	}
	t.Fatalf("there is no route %s", name)
	return nil
}

// A running daemon answers each route as the document says, with what it should, and refuses
// what it should.
func TestAnswersAreAsDescribed(t *testing.T) {
	v := newValidator(t)
	log := new(Log)
	ended := make(chan struct{})
	r := newRig(t, func(cfg *Config) {
		cfg.Log = log
		cfg.Reload = reloadNothing
		cfg.Shutdown = func() { close(ended) }
	})
	log.add(Line{Text: "hello", Level: "info", Values: map[string]string{"a": "b"}})
	doc, hash := torrentOf(t, "x", map[string]int{"a": 10, "sub/b": 20})
	asked := make(map[string]bool)
	ask := func(status int, name, query string, body any, headers ...string) {
		t.Helper()
		route := routeNamed(t, name)
		asked[name] = true
		path := strings.NewReplacer("{id}", hash, "{name}", "home", "{number}",
			"1").Replace(route.path)
		a := r.do(route.method, path+query, body, headers...)
		if a.status != status {
			t.Errorf("%s: %d %s, want %d", name, a.status, a.body, status)
		}
		if err := v.answer(route, a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	ask(201, "addTorrent", "", Add{Metainfo: doc,
		Trackers: []string{"http://127.0.0.1:1/announce"}})
	ask(409, "addTorrent", "", Add{Metainfo: doc})
	ask(200, "listTorrents", "", nil)
	ask(200, "listTorrents", "?fields=name", nil)
	ask(422, "listTorrents", "?sort=x", nil)
	ask(200, "getTorrent", "", nil)
	ask(200, "setTorrent", "", Patch{Labels: &[]string{"x"}})
	ask(422, "setTorrent", "", Patch{Rank: new(7)})
	ask(200, "getMetainfo", "", nil)
	ask(200, "bulk", "", Bulk{All: true, Action: ActionVerify})
	for _, name := range []string{"stopTorrent", "startTorrent", "verifyTorrent",
		"reannounceTorrent"} {
		ask(204, name, "", nil)
	}
	ask(200, "listFiles", "", nil)
	ask(204, "setFiles", "", FilePriorities{[]FilePriority{{Path: new("x/sub"), Priority: 0}}})
	ask(200, "listPeers", "", nil)
	ask(204, "addPeer", "", AddPeer{"127.0.0.1:1"})
	ask(200, "showPieces", "", nil)
	ask(200, "listTrackers", "", nil)
	ask(200, "setTrackers", "", Tiers{[][]string{{"udp://127.0.0.1:1"}}})
	ask(200, "setWebSeeds", "", URLs{[]string{"http://127.0.0.1:1/x"}})
	ask(200, "listWebSeeds", "", nil)
	ask(204, "queueTorrent", "", Enqueue{0})
	ask(204, "locateTorrent", "", Folder{t.TempDir()})
	ask(202, "moveTorrent", "", Folder{t.TempDir()})
	ask(204, "renameTorrent", "", Rename{"x", "y"})
	ask(204, "login", "", Login{})
	ask(204, "logout", "", nil)
	ask(200, "getSession", "", nil)
	ask(200, "getStats", "", nil)
	ask(200, "getSpeed", "", nil)
	ask(200, "getLog", "", nil)
	ask(200, "getSettings", "", nil)
	ask(200, "setSettings", "", object{"down": 5000, "seed-time": 1.5})
	ask(422, "setSettings", "", object{"down": "fast"})
	ask(200, "getSpace", "", nil)
	ask(200, "getSpace", "?dir=/", nil)
	ask(200, "listGroups", "", nil)
	ask(200, "setGroup", "", GroupLimits{Down: 5})
	ask(422, "setGroup", "", GroupLimits{Down: -5})
	ask(204, "removeGroup", "", nil)
	ask(404, "removeGroup", "", nil)
	ask(200, "reloadBlocklist", "", nil)
	ask(200, "reload", "", nil)
	ask(200, "getOpenAPI", "", nil)
	ask(200, "getTorrentSpeed", "", nil)
	ask(200, "getQRCode", "", nil)
	ask(200, "browse", "", nil)
	ask(200, "inspect", "", Add{Metainfo: doc})
	path := filepath.Join(r.dir, "made")
	if err := os.WriteFile(path, []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	ask(202, "createTorrent", "", Create{Path: path})
	ask(422, "createTorrent", "", Create{Path: path, Format: "v3"})
	ask(200, "listCreations", "", nil)
	ask(200, "getCreation", "", nil)
	ask(204, "cancelCreation", "", nil)
	ask(204, "removeTorrent", "", nil)
	ask(404, "getTorrent", "", nil)
	ask(202, "shutdown", "", nil)
	<-ended
	for i := range routes {
		if name := routes[i].name; !asked[name] && name != "followEvents" {
			t.Errorf("%s was not asked", name)
		}
	}
}
