package daemon

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// recordVersion is the version of records that this program writes.
	recordVersion = 1
	// recordBytesMax bounds a record. The largest part is one priority for each of up to
	// metainfo.FilesMax files.
	recordBytesMax = 8 << 20
)

// A record is what the state folder holds of a torrent besides its metadata: what the user
// has set, and what a list shows of it before it is opened.
type record struct {
	Version int `json:"version"`
	ID      ID  `json:"id"`
	// V1 and V2 are the info-hashes in hexadecimal digits, as far as they are known. The name
	// of the file is the first that was known, cut to 40 digits.
	V1 string `json:"v1,omitempty"`
	V2 string `json:"v2,omitempty"`
	// Magnet is the link that the torrent was added by. Trackers, WebSeeds and Peers are those
	// of the torrent or link.
	Magnet   string     `json:"magnet,omitempty"`
	Trackers [][]string `json:"trackers,omitempty"`
	WebSeeds []string   `json:"webseeds,omitempty"`
	Peers    []string   `json:"peers,omitempty"`
	// Choose are the names of the wanted files of a link, until its metadata is known.
	Choose []string `json:"choose,omitempty"`

	Options  Options `json:"options"`
	Queue    int64   `json:"queue"`              // its place; see queue.Order
	Finished bool    `json:"finished,omitempty"` // a goal was reached
	Goal     string  `json:"goal,omitempty"`     // which one, for users
	// Place is where the content lies while that is not Options.Dir. Whole says that the
	// content was just hashed when the torrent was added, and the engine has no record of it yet.
	Place string `json:"place,omitempty"`
	Whole bool   `json:"whole,omitempty"`
	// Moving is the folder that the content is being moved to. If the process dies, the next
	// one sees where the content lies.
	Moving string `json:"moving,omitempty"`
	// Naming is the same for a name that the file or folder at the top is being given.
	Naming string `json:"naming,omitempty"`
	// Top is what the content was called when it was added, if not as in the torrent.
	Top string `json:"top,omitempty"`
	// Renamed says that the user has given names to files or folders below the top.
	Renamed bool `json:"renamed,omitempty"`
	// Temporary says that the torrent ends some time after its last use; see Daemon.Visit.
	Temporary bool `json:"temporary,omitempty"`
	// Due are the events whose commands have not begun yet.
	Due []string `json:"due,omitempty"`

	Shown shown `json:"shown"`

	// extra has the keys of the object that this program does not know, and extraOptions
	// those of its options. They are written back.
	extra, extraOptions map[string]json.RawMessage
}

// shown is what a list shows of a torrent before it is opened.
type shown struct {
	Name        string `json:"name,omitempty"` // as the user or the torrent named it
	HaveInfo    bool   `json:"info,omitempty"`
	Private     bool   `json:"private,omitempty"`
	Size        int64  `json:"size,omitempty"`
	Wanted      int64  `json:"wanted,omitempty"`
	Got         int64  `json:"got,omitempty"`
	Left        int64  `json:"left,omitempty"`
	Have        int64  `json:"have,omitempty"`
	Files       int32  `json:"files,omitempty"`
	Entries     int32  `json:"entries,omitempty"` // of the layout, padding included
	Pieces      int32  `json:"pieces,omitempty"`
	PiecesHave  int32  `json:"pieces-have,omitempty"`
	PieceLength int32  `json:"piece-length,omitempty"`

	Down      int64         `json:"down,omitempty"`
	Up        int64         `json:"up,omitempty"`
	Wasted    int64         `json:"wasted,omitempty"`
	Active    time.Duration `json:"active,omitempty"`
	Seeding   time.Duration `json:"seeding,omitempty"`
	Added     int64         `json:"added,omitempty"` // seconds since 1970, as the next ones
	Completed int64         `json:"completed,omitempty"`
	Last      int64         `json:"last,omitempty"`
}

// wastedBefore is the reason of the waste in shown, whose reasons are not kept.
const wastedBefore = "earlier"

// totals returns the totals that are shown.
func (s *shown) totals() swarm.Totals {
	all := swarm.Totals{Down: s.Down, Up: s.Up, Active: s.Active, Seeding: s.Seeding,
		Added: moment(s.Added), Completed: moment(s.Completed), LastActive: moment(s.Last)}
	if s.Wasted > 0 {
		all.Waste = map[string]int64{wastedBefore: s.Wasted}
	}
	return all
}

// setTotals shows totals.
func (s *shown) setTotals(all *swarm.Totals) {
	s.Down, s.Up, s.Active, s.Seeding = all.Down, all.Up, all.Active, all.Seeding
	s.Completed, s.Last = seconds(all.Completed), seconds(all.LastActive)
	if s.Added == 0 {
		s.Added = seconds(all.Added)
	}
	s.Wasted = 0
	for _, n := range all.Waste {
		s.Wasted += n
	}
}

// seconds returns the seconds from 1970 to t, 0 if t is zero.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// moment returns the time that many seconds after the start of 1970, the zero time for 0.
func moment(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// keysOf returns the JSON names of the fields of a struct type.
func keysOf[T any]() map[string]bool {
	keys := make(map[string]bool)
	of := reflect.TypeFor[T]()
	for i := range of.NumField() {
		name, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
		if name != "" {
			keys[name] = true
		}
	}
	return keys
}

var recordKeys, optionKeys = keysOf[record](), keysOf[Options]()

// unknown returns the keys of an object that are not known; nil if there are none.
func unknown(object []byte, known map[string]bool) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(object, &all); err != nil {
		return nil, err
	}
	maps.DeleteFunc(all, func(key string, _ json.RawMessage) bool { return known[key] })
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}

// withUnknown returns an object with further keys.
func withUnknown(object []byte, extra map[string]json.RawMessage) []byte {
	if len(extra) == 0 {
		return object
	}
	b := bytes.TrimSuffix(object, []byte("}"))
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		name, err := json.Marshal(key)
		if err != nil { // a string can always be written
			continue
		}
		b = append(append(append(b, name...), ':'), extra[key]...)
	}
	return append(b, '}')
}

// marshal returns the file of a record.
func (r *record) marshal() ([]byte, error) {
	r.Version = recordVersion
	options, err := json.Marshal(&r.Options)
	if err != nil {
		return nil, err
	}
	type plain record // without methods
	object, err := json.Marshal(&struct {
		*plain
		Options json.RawMessage `json:"options"`
	}{(*plain)(r), withUnknown(options, r.extraOptions)})
	if err != nil {
		return nil, err
	}
	return seal(withUnknown(object, r.extra)), nil
}

// parseRecord reads the file of a record. The error wraps errLater or errDamaged.
func parseRecord(doc []byte) (*record, error) {
	object, err := unseal(doc, recordVersion)
	if err != nil {
		return nil, err
	}
	r := new(record)
	strict := json.NewDecoder(bytes.NewReader(object))
	strict.DisallowUnknownFields()
	if err := strict.Decode(r); err != nil || strict.More() {
		if r, err = parseRecordWith(object); err != nil {
			return nil, err
		}
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	return r, nil
}

// parseRecordWith reads a record that may have keys that this program does not know.
func parseRecordWith(object []byte) (*record, error) {
	r := new(record)
	err := json.Unmarshal(object, r)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	if r.extra, err = unknown(object, recordKeys); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	var part struct {
		Options json.RawMessage `json:"options"`
	}
	if err := json.Unmarshal(object, &part); err != nil {
		return nil, fmt.Errorf("%w: %v", errDamaged, err)
	}
	if part.Options != nil {
		if r.extraOptions, err = unknown(part.Options, optionKeys); err != nil {
			return nil, fmt.Errorf("%w: %v", errDamaged, err)
		}
	}
	return r, nil
}

// check reports what of a record makes no sense.
func (r *record) check() error {
	if r.ID < 1 {
		return fmt.Errorf("its id is %d", r.ID)
	}
	if _, err := r.names(); err != nil {
		return err
	}
	s := &r.Shown
	for _, n := range []int64{s.Size, s.Wanted, s.Got, s.Left, s.Have, int64(s.Files),
		int64(s.Entries), int64(s.Pieces), int64(s.PiecesHave), int64(s.PieceLength), s.Down, s.Up,
		s.Wasted, int64(s.Active), int64(s.Seeding), s.Added, s.Completed, s.Last} {
		if n < 0 {
			return fmt.Errorf("a number is %d", n)
		}
	}
	return r.Options.check()
}

// names returns the info-hashes of a record.
func (r *record) names() (n names, err error) {
	if r.V1 != "" {
		if n.v1, err = metainfo.ParseHash(r.V1); err != nil {
			return names{}, err
		}
		n.hasV1 = true
	}
	if r.V2 != "" {
		raw, err := hex.DecodeString(r.V2)
		if err != nil || len(raw) != len(n.v2) {
			return names{}, fmt.Errorf("%q is no info-hash", r.V2)
		}
		n.hasV2 = true
		copy(n.v2[:], raw)
	}
	if !n.hasV1 && !n.hasV2 {
		return names{}, fmt.Errorf("it has no info-hash")
	}
	return n, nil
}

// names are the known info-hashes of a torrent.
type names struct {
	v1           metainfo.Hash
	v2           metainfo.Hash256
	hasV1, hasV2 bool
}

// namesOfMagnet returns the info-hashes in a link.
func namesOfMagnet(m *metainfo.Magnet) names {
	return names{v1: m.V1, v2: m.V2, hasV1: m.HasV1, hasV2: m.HasV2}
}

// namesOfInfo returns the info-hashes of an info dictionary.
func namesOfInfo(info *metainfo.Info) (n names) {
	n.v1, n.hasV1 = info.HashV1()
	n.v2, n.hasV2 = info.HashV2()
	return n
}

// short returns the info-hashes as they are on the wire, the first one first.
func (n *names) short() []metainfo.Hash {
	var list []metainfo.Hash
	if n.hasV1 {
		list = append(list, n.v1)
	}
	if n.hasV2 {
		list = append(list, n.v2.Short())
	}
	return list
}

// write puts the names into a record.
func (n *names) write(r *record) {
	r.V1, r.V2 = "", ""
	if n.hasV1 {
		r.V1 = n.v1.String()
	}
	if n.hasV2 {
		r.V2 = n.v2.String()
	}
}
