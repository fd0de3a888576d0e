package main

import (
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
)

// applyKept sets the flags of the daemon that controls have changed while it ran, as its next
// start would. The state folder is only read.
func (f *daemonFlags) applyKept() error {
	state, err := f.stateDir()
	if err != nil {
		return err
	}
	settings, err := f.settings(os.LookupEnv, state)
	if err != nil {
		return err
	}
	now, changed, err := daemon.Preview(state, settings, f.pinned())
	if err != nil {
		return f.settingFailure(err)
	}
	for _, name := range changed {
		if flag := flagOf(f.fs, name); flag != nil {
			showSetting(flag, name, settingNamed(&now, name))
		}
	}
	return nil
}

// settingNamed returns the value of a setting.
func settingNamed(s *daemon.Settings, name string) any {
	all := reflect.ValueOf(s).Elem()
	for i := range all.NumField() {
		if tag, _, _ := strings.Cut(all.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return all.Field(i).Interface()
		}
	}
	return nil
}

// showSetting gives a flag the value of a setting.
func showSetting(f *pflag.Flag, name string, value any) {
	setOrigin(f, originRunning)
	switch v := value.(type) {
	case []string:
		if list, ok := f.Value.(*listValue); ok {
			list.items = v
		} else if command, ok := f.Value.(*commandValue); ok {
			*command = v
		}
		return
	case int:
		if count, ok := f.Value.(*countValue); ok {
			*count = countValue(v) // which may be 0, the default
			return
		}
	case bool:
		value = v == (f.Name == name)
	}
	f.Value.Set(textOf(value))
}

// textOf writes a setting as its flag takes it.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Duration:
		return v.String()
	}
	return ""
}
