package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// settingsType is what the fields of Settings are read from.
var settingsType = reflect.TypeFor[Settings]()

var durationType = reflect.TypeFor[time.Duration]()

// settingName returns the name of a field, which is that of its flag.
func settingName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// MarshalJSON returns the settings with durations in seconds.
func (s Settings) MarshalJSON() ([]byte, error) {
	v := reflect.ValueOf(s)
	b := []byte{'{'}
	for i := range settingsType.NumField() {
		value := v.Field(i)
		shown := value.Interface()
		switch {
		case value.Type() == durationType:
			shown = value.Interface().(time.Duration).Seconds()
		case value.Kind() == reflect.Slice && value.IsNil():
			shown = []struct{}{}
		case value.Kind() == reflect.Map && value.IsNil():
			shown = map[string]string{}
		}
		doc, err := json.Marshal(shown)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, fmt.Sprintf("%q:", settingName(settingsType.Field(i)))...)
		b = append(b, doc...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON changes the settings that are named; the others stay.
func (s *Settings) UnmarshalJSON(doc []byte) error {
	var named map[string]json.RawMessage
	if err := json.Unmarshal(doc, &named); err != nil {
		return problemf(400, "the settings are not an object")
	}
	v := reflect.ValueOf(s).Elem()
	for i := range settingsType.NumField() {
		name := settingName(settingsType.Field(i))
		doc, ok := named[name]
		if !ok {
			continue
		}
		delete(named, name)
		if err := setSetting(v.Field(i), doc); err != nil {
			return wrong(name, "%s: %v", name, err)
		}
	}
	for name := range named {
		return wrong(name, "there is no setting %q", name)
	}
	return nil
}

// setSetting reads a value.
func setSetting(field reflect.Value, doc []byte) error {
	if bytes.Equal(doc, []byte("null")) {
		return fmt.Errorf("null is no value")
	}
	if field.Type() == durationType {
		var seconds float64
		if err := json.Unmarshal(doc, &seconds); err != nil {
			return fmt.Errorf("want a number of seconds")
		}
		if !(math.Abs(seconds) < math.MaxInt64/float64(time.Second)) {
			return fmt.Errorf("%v s is out of range", seconds)
		}
		field.SetInt(int64(seconds * float64(time.Second)))
		return nil
	}
	fresh := reflect.New(field.Type())
	if err := json.Unmarshal(doc, fresh.Interface()); err != nil {
		return fmt.Errorf("want %s", kindWords(field.Type()))
	}
	field.Set(fresh.Elem())
	return nil
}

// kindWords returns what a value of a type is, for users.
func kindWords(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Struct {
			return "a list of objects"
		}
		return "a list of strings"
	case reflect.Map:
		return "an object of strings"
	case reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// settings shows the settings in force. Only a login that may change them sees their secrets.
func (c *call) settings() error {
	s := c.api.daemon.Settings()
	if c.who.Scope < control.Admin {
		s = s.Shown()
	}
	return c.ok(Settings(s))
}

// setSettings changes settings, and shows all of them.
func (c *call) setSettings() error {
	var raw json.RawMessage
	if err := c.body(&raw, false); err != nil {
		return err
	}
	// Tried once before the daemon is asked, so that its function cannot fail.
	now := Settings(c.api.daemon.Settings())
	now.Notes = nil // the map is the daemon's
	if err := parse(raw, &now); err != nil {
		return err
	}
	err := c.api.daemon.Change(c.r.Context(), func(s *daemon.Settings) {
		_ = parse(raw, (*Settings)(s))
	})
	if err != nil {
		return err
	}
	return c.settings()
}
