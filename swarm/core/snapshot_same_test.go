package core

import (
	"errors"
	"reflect"
	"testing"
)

// TestSameSnapshot: two snapshots say the same only if each of their fields does.
func TestSameSnapshot(t *testing.T) {
	filled := func() *Snapshot {
		return &Snapshot{Err: errors.New("wrong"), Waste: map[Reason]int64{ReasonBadPiece: 1},
			Drops: map[Reason]int{ReasonBadPiece: 1}}
	}
	if !filled().Same(filled()) || !new(Snapshot).Same(new(Snapshot)) {
		t.Error("equal snapshots differ")
	}
	for i := range reflect.TypeFor[Snapshot]().NumField() {
		s, o := filled(), filled()
		field := reflect.ValueOf(s).Elem().Field(i)
		switch field.Kind() {
		case reflect.Interface, reflect.Map:
			field.SetZero()
		case reflect.Array:
			field.Index(0).SetInt(1)
		case reflect.Uint8:
			field.SetUint(1)
		case reflect.Bool:
			field.SetBool(!field.Bool())
		default:
			field.SetInt(1)
		}
		if s.Same(o) || o.Same(s) {
			t.Errorf("another %s counts as the same", reflect.TypeFor[Snapshot]().Field(i).Name)
		}
	}
}

// TestSnapshotsShareNothingThatChanges: what a snapshot says stays, and costs no memory as
// long as nothing else is to be said.
func TestSnapshotsShareNothingThatChanges(t *testing.T) {
	var c counters
	var first, second Snapshot
	c.wasted(ReasonUnsolicited, 5)
	c.dropped(ReasonBadPiece)
	c.show(&first)
	c.wasted(ReasonUnsolicited, 2)
	c.dropped(ReasonBadPiece)
	c.show(&second)
	if first.Waste[ReasonUnsolicited] != 5 || first.Drops[ReasonBadPiece] != 1 {
		t.Errorf("the first snapshot has become %v, %v", first.Waste, first.Drops)
	}
	if second.Waste[ReasonUnsolicited] != 7 || second.Drops[ReasonBadPiece] != 2 {
		t.Errorf("the second snapshot is %v, %v", second.Waste, second.Drops)
	}
	if n := testing.AllocsPerRun(10, func() { c.show(&second) }); n != 0 {
		t.Errorf("%v allocations for a snapshot without news", n)
	}
}
