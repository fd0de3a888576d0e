package transmission

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// decode turns v into what package json makes of it, by way of the methods of value.
func decode(v value) any {
	switch v.kind() {
	case '{':
		object := map[string]any{}
		for name, member := range v.members() {
			object[name] = decode(member)
		}
		return object
	case '[':
		list := []any{}
		for element := range v.elements() {
			list = append(list, decode(element))
		}
		return list
	case '"':
		s, ok := v.text()
		if !ok {
			return fmt.Errorf("not a string: %s", v)
		}
		return s
	case 't', 'f':
		is, _ := v.truth()
		return is
	case '0':
		n, _ := v.number()
		return n
	}
	return nil
}

func TestValue(t *testing.T) {
	for _, doc := range []string{
		`0`, `-1.5e3`, `"x"`, `true`, `false`, `null`, `[]`, `{}`, ` [ ] `, "\t{\r\n}\n",
		`[1,2,3]`, `[[],[[]],{}]`, `{"a":1,"b":[{"c":"d,]}"}],"e":null}`,
		`{"a" : [ 1 , "\"]" , { "x" : "\\" } ] , "\u0062" : false }`,
		`["\\","\\\"","{","}"]`, `{"a":{"b":{"c":[true,false,null]}},"d":-0}`,
		`{"":"","a":"\ud83d\ude00ü"}`,
	} {
		v, ok := parseValue([]byte(doc))
		if !ok {
			t.Errorf("%s does not parse", doc)
			continue
		}
		var want any
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(err)
		}
		if got := decode(v); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", doc, got, want)
		}
	}
	for _, doc := range []string{``, ` `, `{`, `[1,]`, `{"a"}`, `nul`, `1 2`, `'a'`,
		strings.Repeat("[", 1<<20)} {
		if v, ok := parseValue([]byte(doc)); ok {
			t.Errorf("%.20q parses as %.20q", doc, v)
		}
	}
}

// Numbers, truth values and strings stand for each other where clients mix them.
func TestValueConversions(t *testing.T) {
	for doc, want := range map[string]struct {
		n     int64
		hasN  bool
		truth bool
		hasT  bool
	}{
		`1`: {1, true, true, true}, `0`: {0, true, false, true}, `-3`: {-3, true, true, true},
		`1.9`: {1, true, true, true}, `0.9765625`: {0, true, true, true},
		`true`: {1, true, true, true}, `false`: {0, true, false, true},
		`"true"`: {0, false, true, true}, `"false"`: {0, false, false, true},
		`"7"`: {7, true, false, false}, `"x"`: {}, `"NaN"`: {}, `null`: {}, `[]`: {}, `{}`: {},
		`1e400`:                 {},
		`9223372036854775807`:   {1<<63 - 1, true, true, true},
		`9223372036854775808`:   {1<<63 - 1, true, true, true},
		`-1e30`:                 {-1 << 63, true, true, true},
		`123456789012345678901`: {1<<63 - 1, true, true, true},
	} {
		v, _ := parseValue([]byte(doc))
		if n, ok := v.integer(); n != want.n || ok != want.hasN {
			t.Errorf("%s is the number %d, %v; want %d, %v", doc, n, ok, want.n, want.hasN)
		}
		if is, ok := v.truth(); is != want.truth || ok != want.hasT {
			t.Errorf("%s is %v, %v; want %v, %v", doc, is, ok, want.truth, want.hasT)
		}
	}
	if n, ok := value(nil).number(); n != 0 || ok {
		t.Errorf("nothing is the number %v", n)
	}
}

func TestParams(t *testing.T) {
	v, _ := parseValue([]byte(`{"a":1,"b":null,"a":2,"c":"x"}`))
	p, err := parseParams(v)
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := p.get("z", "a").integer(); n != 2 {
		t.Errorf("a is %d, want the last one", n)
	}
	if b := p.get("b"); !b.missing() || b.kind() != 'n' {
		t.Errorf("b is %s, want null", b)
	}
	if p.text("c") != "x" || p.text("a") != "" || p.get("d") != nil {
		t.Error("strings are found wrongly")
	}
	for _, doc := range []string{`null`, `21`, `[1]`, `"x"`} {
		v, _ := parseValue([]byte(doc))
		if p, err := parseParams(v); len(p) != 0 || err != nil {
			t.Errorf("%s has the parameters %v, %v", doc, p, err)
		}
	}
	many := `{"x":0` + strings.Repeat(`,"x":0`, paramsMax) + `}`
	if v, _ = parseValue([]byte(many)); v == nil {
		t.Fatal("does not parse")
	}
	if _, err := parseParams(v); err == nil {
		t.Error("too many parameters are taken")
	}
}

// Whatever package json can decode, value reads in the same way.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{`{"method":"torrent-get","arguments":{"fields":["id"]}}`,
		`[1,-2.5e-3,"\u00e9\\",null,true,{"a":[]}]`, "{\"a\\\"\":\xff}", `"\ud800"`,
		` [ 1 , 2 ] `} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		v, ok := parseValue(doc)
		if ok != json.Valid(doc) {
			t.Fatalf("%q: valid is %v", doc, ok)
		}
		if !ok {
			return
		}
		var want any
		if json.Unmarshal(doc, &want) != nil {
			return // a number that is out of range
		}
		if got := decode(v); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %#v, want %#v", doc, got, want)
		}
	})
}

// Names of members that come twice: the last one counts, as in package json.
func TestValueDuplicates(t *testing.T) {
	v, _ := parseValue([]byte(`{"a":1,"a":{"b":2},"a":[3]}`))
	var names []string
	for name := range v.members() {
		names = append(names, name)
	}
	if !slices.Equal(names, []string{"a", "a", "a"}) {
		t.Errorf("members are %q", names)
	}
}

// A value costs no memory of its own while it is looked at.
func TestValueAllocates(t *testing.T) {
	doc := []byte(`{"ids":[` + strings.TrimSuffix(strings.Repeat("1,", 10_000), ",") + `],"b":{}}`)
	v, _ := parseValue(doc)
	n := testing.AllocsPerRun(10, func() {
		sum := int64(0)
		for _, member := range v.members() {
			for element := range member.elements() {
				sum += int64(len(element))
			}
		}
		if sum != 10_000 {
			t.Errorf("%d elements", sum)
		}
	})
	if n > 8 {
		t.Errorf("%v allocations for 10,000 elements", n)
	}
	if !bytes.Equal(v, doc) {
		t.Error("the document was changed")
	}
}
