package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"swarmnode/daemon/api"
)

// filled returns a torrent all of whose fields have values that follow from n.
func filled(t *testing.T, n int) api.Torrent {
	t.Helper()
	var torrent api.Torrent
	at, number := time.Unix(int64(1e9+n), 0), float64(n)
	v := reflect.ValueOf(&torrent).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case *time.Time:
			f.Set(reflect.ValueOf(&at))
		case *float64:
			f.Set(reflect.ValueOf(&number))
		case []string:
			f.Set(reflect.ValueOf([]string{fmt.Sprint("label", n)}))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(fmt.Sprint("text", n))
			case reflect.Bool:
				f.SetBool(n%2 == 0)
			case reflect.Int, reflect.Int32, reflect.Int64:
				f.SetInt(int64(n))
			case reflect.Float64:
				f.SetFloat(number)
			default:
				t.Fatalf("%s is a %s", v.Type().Field(i).Name, f.Type())
			}
		}
	}
	return torrent
}

// inTable returns what a list for a table has of a torrent.
func inTable(t *testing.T, torrent api.Torrent) api.Torrent {
	t.Helper()
	doc, err := json.Marshal(torrent)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(doc, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if name != "id" && !slices.Contains(tableFields, name) {
			delete(fields, name)
		}
	}
	if len(fields) != len(tableFields)+1 {
		t.Fatalf("%d fields of %d are there", len(fields), len(tableFields)+1)
	}
	if doc, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	var bare api.Torrent
	if err := json.Unmarshal(doc, &bare); err != nil {
		t.Fatal(err)
	}
	return bare
}

// A table, its sums and its order need no fields but those that are asked for.
func TestTableFields(t *testing.T) {
	for n := 2; n < 6; n++ {
		for _, status := range []api.Status{api.Stopped, api.Checking, api.Downloading,
			api.Seeding} {
			a, b := filled(t, n), filled(t, n-1)
			a.Status = status
			list, bare := []api.Torrent{a, b}, []api.Torrent{inTable(t, a), inTable(t, b)}
			for i := range list {
				for range 2 {
					got, want := torrentRow(&bare[i]), torrentRow(&list[i])
					if !slices.Equal(got, want) {
						t.Errorf("%q, want %q", got, want)
					}
					list[i].MoveTotal, bare[i].MoveTotal = 0, 0 // it hides the status
				}
			}
			if got, want := sumOf(bare), sumOf(list); got != want {
				t.Errorf("sums %+v, want %+v", got, want)
			}
			for name, order := range orders {
				if got, want := order(&bare[0], &bare[1]), order(&list[0], &list[1]); got != want {
					t.Errorf("sorted by %s: %d, want %d", name, got, want)
				}
			}
			if !slices.Equal(bare[0].Labels, a.Labels) {
				t.Errorf("labels %q", bare[0].Labels)
			}
		}
	}
}
