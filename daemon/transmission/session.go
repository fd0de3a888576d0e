package transmission

import (
	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// A setting is something about the daemon as a whole.
type setting struct {
	names names
	keys  keyed
	put   func(w *writer, s *session)
	// set returns how a value changes the settings. It is nil if clients cannot change the
	// setting: to set it is no error, and changes nothing.
	set func(c *call, v value) (func(s *daemon.Settings), error)
}

// A session is what settings are read from.
type session struct {
	h    *Handler
	all  daemon.Settings
	node *swarmnode.Node
}

// note returns what a client has set and the daemon does not use, or a number that is not in
// force.
func (s *session) note(name string) string { return s.all.Notes[notePrefix+name] }

// fixed returns a setting that clients cannot change.
func fixed(legacyName, modernName string, put func(w *writer, s *session)) setting {
	n := names{legacyName, modernName}
	return setting{names: n, keys: n.keys(), put: put}
}

// settable returns a setting that clients can change.
func settable(legacyName, modernName string, put func(w *writer, s *session),
	set func(c *call, v value) (func(s *daemon.Settings), error)) setting {
	row := fixed(legacyName, modernName, put)
	row.set = set
	return row
}

// sessionTables are all settings. Where a number and a switch belong together, the number
// comes first: session-set goes through them in this order.
var sessionTables = [][]setting{limitSettings, folderSettings, networkSettings,
	blocklistSettings, scheduleSettings, otherSettings}

// sessionGet answers with settings: those of "fields", or all. Only a client that may change
// them sees their secrets.
func sessionGet(c *call) error {
	s := &session{c.h, c.h.daemon.Settings(), c.h.daemon.Node()}
	if control.From(c.ctx).Scope < control.Admin {
		s.all = s.all.Shown()
	}
	fields := c.params.get("fields")
	if fields.kind() != '[' {
		for _, table := range sessionTables {
			for i := range table {
				c.out.keyed(&table[i].keys)
				table[i].put(c.out, s)
			}
		}
		return nil
	}
	n := 0
	for element := range fields.elements() {
		if n++; n > fieldsMax {
			return invalid("too many fields")
		}
		name, _ := element.text()
		if row := settingOf(name); row != nil {
			c.out.key(name)
			row.put(c.out, s)
		}
	}
	return nil
}

// settingOf returns the setting of a name, or nil.
func settingOf(name string) *setting {
	for _, table := range sessionTables {
		for i := range table {
			if table[i].names.is(name) {
				return &table[i]
			}
		}
	}
	return nil
}

// sessionSet changes settings, all of them or none.
func sessionSet(c *call) error {
	var changes []func(s *daemon.Settings)
	for _, table := range sessionTables {
		for i := range table {
			row := &table[i]
			if row.set == nil {
				continue
			}
			v := c.params.get(row.names[:]...)
			if v.missing() {
				continue
			}
			change, err := row.set(c, v)
			if err != nil {
				return err
			}
			if change != nil {
				changes = append(changes, change)
			}
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return c.h.daemon.Change(c.ctx, func(s *daemon.Settings) {
		for _, change := range changes {
			change(s)
		}
	})
}

// truthSetting returns a setting that is a truth value of Settings.
func truthSetting(legacyName, modernName string, of func(s *daemon.Settings) *bool) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) { w.bool(*of(&s.all)) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			is, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) { *of(s) = is }, nil
		})
}

// A quantity is a number of Settings that is off while it is 0, in the unit of clients. They
// have a switch for it, and a number that they may set while the switch is off. That number is
// a note.
type quantity struct {
	number, on names
	otherwise  float64 // the number that nobody has set
	low, high  float64 // bounds of the number
	read       func(s *daemon.Settings) float64
	write      func(s *daemon.Settings, n float64, on bool)
	fraction   bool // the number may have one
}

// rows returns the settings of a quantity.
func (q *quantity) rows() []setting {
	return []setting{
		settable(q.number[legacy], q.number[modern], q.putNumber, q.setNumber),
		settable(q.on[legacy], q.on[modern],
			func(w *writer, s *session) { w.bool(q.read(&s.all) > 0) }, q.setOn),
	}
}

// now returns the number in force, or else the one that was set last.
func (q *quantity) now(s *daemon.Settings) float64 {
	if n := q.read(s); n > 0 {
		return n
	}
	return noted(s.Notes[notePrefix+q.number[modern]], q.otherwise)
}

func (q *quantity) putNumber(w *writer, s *session) {
	if n := q.now(&s.all); q.fraction {
		w.float(n)
	} else {
		w.int(int64(n))
	}
}

func (q *quantity) setNumber(_ *call, v value) (func(s *daemon.Settings), error) {
	n, ok := v.within(q.low, q.high)
	if !ok {
		return nil, nil
	}
	return func(s *daemon.Settings) {
		if q.read(s) > 0 {
			q.write(s, n, true)
		}
		setNote(&s.Notes, q.number[modern], numeral(n))
	}, nil
}

func (q *quantity) setOn(_ *call, v value) (func(s *daemon.Settings), error) {
	on, ok := v.truth()
	if !ok {
		return nil, nil
	}
	return func(s *daemon.Settings) {
		n := q.now(s)
		setNote(&s.Notes, q.number[modern], numeral(n))
		q.write(s, n, on)
	}, nil
}
