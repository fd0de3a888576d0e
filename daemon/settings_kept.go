package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// What controls change is kept beside the files of the user. For each setting it is the value,
// and the base: what files, flags and the environment said at that time. As soon as they say
// something else, the change is dropped, because the user's newest word counts.

// A keptChange is a setting that a control has changed.
type keptChange struct {
	Value json.RawMessage `json:"value"`
	Base  json.RawMessage `json:"base"`
}

// kept has such changes by the names of the settings.
type kept map[string]keptChange

// fields calls f for each setting with its name.
func (s *Settings) fields(f func(name string, field reflect.Value)) {
	all := reflect.ValueOf(s).Elem()
	for i := range all.NumField() {
		name, _, _ := strings.Cut(all.Type().Field(i).Tag.Get("json"), ",")
		f(name, all.Field(i))
	}
}

// field returns the setting of a name; it is not valid if there is none.
func (s *Settings) field(name string) (found reflect.Value) {
	s.fields(func(n string, field reflect.Value) {
		if n == name {
			found = field
		}
	})
	return found
}

// SettingNames returns the names of all Settings, in the order of their fields.
func SettingNames() (names []string) {
	new(Settings).fields(func(name string, _ reflect.Value) { names = append(names, name) })
	return names
}

// encoded returns a setting as it is kept. An empty list or map is the same as none.
func encoded(field reflect.Value) json.RawMessage {
	if k := field.Kind(); (k == reflect.Slice || k == reflect.Map) && field.Len() == 0 {
		return json.RawMessage("null")
	}
	doc, err := json.Marshal(field.Interface())
	if err != nil { // a number that JSON has not; check refuses it
		return json.RawMessage("null")
	}
	return doc
}

// clone returns a copy that shares no slice and no map.
func (s *Settings) clone() Settings {
	c := *s
	c.fields(func(_ string, field reflect.Value) {
		switch {
		case field.Kind() == reflect.Slice && !field.IsNil():
			fresh := reflect.MakeSlice(field.Type(), field.Len(), field.Len())
			reflect.Copy(fresh, field)
			field.Set(fresh)
		case field.Kind() == reflect.Map && !field.IsNil():
			fresh := reflect.MakeMapWithSize(field.Type(), field.Len())
			for _, key := range field.MapKeys() {
				fresh.SetMapIndex(key, field.MapIndex(key))
			}
			field.Set(fresh)
		}
	})
	return c
}

// differing returns the names of the settings that differ between s and o.
func (s *Settings) differing(o *Settings) (names []string) {
	s.fields(func(name string, field reflect.Value) {
		if !bytes.Equal(encoded(field), encoded(o.field(name))) {
			names = append(names, name)
		}
	})
	return names
}

// with returns base with the changes that still count: their base is that of base, and the
// result is right. Names of skip are left alone. dropped are the others, sorted; what a later
// version knows is not among them. The error is that of base itself.
func (k kept) with(base Settings, skip []string) (s Settings, dropped []string, err error) {
	left := maps.Clone(k)
	for {
		s = base.clone()
		for _, name := range slices.Sorted(maps.Keys(left)) {
			field := s.field(name)
			if !field.IsValid() || slices.Contains(skip, name) {
				continue
			}
			change := left[name]
			same := bytes.Equal(compact(change.Base), encoded(field))
			if !same || decode(change.Value, field) != nil {
				delete(left, name)
				dropped = append(dropped, name)
			}
		}
		// What was right once may be wrong beside another base.
		wrong, ok := errors.AsType[*SettingError](s.check())
		if !ok {
			break
		}
		if _, ours := left[wrong.Name]; !ours || slices.Contains(skip, wrong.Name) {
			if err := base.check(); err != nil {
				return base, nil, err
			}
			return base, slices.Sorted(maps.Keys(left)), nil
		}
		delete(left, wrong.Name)
		dropped = append(dropped, wrong.Name)
	}
	slices.Sort(dropped)
	return s, dropped, nil
}

// compact returns a document without the white space that an editor may have added.
func compact(doc json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return nil
	}
	return b.Bytes()
}

// decode sets a setting to a kept value.
func decode(value json.RawMessage, field reflect.Value) error {
	fresh := reflect.New(field.Type())
	if err := json.Unmarshal(value, fresh.Interface()); err != nil {
		return err
	}
	field.Set(fresh.Elem())
	return nil
}

// record notes in k how next differs from old. base is what the value is kept against.
func (k kept) record(old, next, base *Settings) {
	for _, name := range next.differing(old) {
		value, given := encoded(next.field(name)), encoded(base.field(name))
		if bytes.Equal(value, given) {
			delete(k, name)
			continue
		}
		k[name] = keptChange{Value: value, Base: given}
	}
}

const (
	// settingsVersion is the newest version of the file of changes that this program reads.
	settingsVersion = 1
	// settingsBytesMax bounds that file.
	settingsBytesMax = 4 << 20
)

// A settingsDoc is the file of changes. Rest has what this version does not know.
type settingsDoc struct {
	changed kept
	rest    map[string]json.RawMessage
}

// marshal returns the object that is sealed.
func (d *settingsDoc) marshal() ([]byte, error) {
	all := maps.Clone(d.rest)
	if all == nil {
		all = make(map[string]json.RawMessage)
	}
	all["version"] = fmt.Append(nil, settingsVersion)
	changed, err := json.Marshal(d.changed)
	if err != nil {
		return nil, err
	}
	all["changed"] = changed
	return json.Marshal(all)
}

// unmarshal reads the object of a sealed file.
func (d *settingsDoc) unmarshal(object []byte) error {
	*d = settingsDoc{changed: kept{}}
	if err := json.Unmarshal(object, &d.rest); err != nil {
		return err
	}
	if changed, ok := d.rest["changed"]; ok {
		if err := json.Unmarshal(changed, &d.changed); err != nil {
			return err
		}
	}
	if d.changed == nil {
		d.changed = kept{}
	}
	delete(d.rest, "changed")
	delete(d.rest, "version")
	return nil
}
