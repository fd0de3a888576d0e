package api

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/daemon"
)

// A view is what is known of a torrent at one moment.
type view struct {
	torrent *daemon.Torrent
	state   daemon.State
	options daemon.Options
}

// viewOf looks at a torrent.
func viewOf(t *daemon.Torrent) view { return view{t, t.State(), t.Options()} }

// A field is a field of Torrent. Lists are written field by field, without reflection: a
// thousand torrents take a millisecond or two.
type field struct {
	name string
	// zero is the value, as JSON, that a reader of deltas takes for granted.
	zero string
	// append appends the value as JSON. Without show, or if show says so, the field is there.
	append func(b []byte, v *view) []byte
	show   func(v *view) bool
	// number or text is what lists are sorted by; fields with neither have no order.
	number func(v *view) float64
	text   func(v *view) string
}

// The kinds of fields.
func integer(name string, get func(*view) int64) field {
	return field{name: name, zero: "0",
		number: func(v *view) float64 { return float64(get(v)) },
		append: func(b []byte, v *view) []byte { return strconv.AppendInt(b, get(v), 10) }}
}

func words(name string, get func(*view) string) field {
	return field{name: name, zero: `""`, text: get,
		append: func(b []byte, v *view) []byte { return appendString(b, get(v)) }}
}

func sentence(name string, get func(*view) string) field {
	f := words(name, get)
	f.show = func(v *view) bool { return get(v) != "" }
	return f
}

func yesNo(name string, get func(*view) bool) field {
	return field{name: name, zero: "false", append: func(b []byte, v *view) []byte {
		return strconv.AppendBool(b, get(v))
	}, number: func(v *view) float64 {
		if get(v) {
			return 1
		}
		return 0
	}}
}

func moment(name string, get func(*view) time.Time) field {
	return field{name: name, zero: "null",
		show:   func(v *view) bool { return !get(v).IsZero() },
		append: func(b []byte, v *view) []byte { return appendTime(b, get(v)) },
		number: func(v *view) float64 {
			if at := get(v); !at.IsZero() {
				return float64(at.UnixMilli())
			}
			return 0
		}}
}

// known is a number that is absent while it is negative. It sorts as a very large one then.
func known(name string, get func(*view) float64) field {
	return field{name: name, zero: "null", show: func(v *view) bool { return get(v) >= 0 },
		append: func(b []byte, v *view) []byte { return appendFloat(b, get(v)) },
		number: func(v *view) float64 {
			if n := get(v); n >= 0 {
				return n
			}
			return math.Inf(1)
		}}
}

func seconds(name string, get func(*view) time.Duration) field {
	return field{name: name, zero: "0",
		number: func(v *view) float64 { return get(v).Seconds() },
		append: func(b []byte, v *view) []byte { return appendFloat(b, get(v).Seconds()) }}
}

// torrentFields are the fields of Torrent, in its order.
var torrentFields = []field{
	integer("id", func(v *view) int64 { return int64(v.torrent.ID()) }),
	words("hash", func(v *view) string { return v.torrent.Hash().String() }),
	words("name", func(v *view) string { return v.state.Name }),
	words("status", func(v *view) string { return string(statusWord(v.state.Status)) }),
	sentence("why", func(v *view) string { return v.state.Why }),
	yesNo("finished", func(v *view) bool { return v.state.Finished }),
	sentence("error", func(v *view) string { return v.state.Error }),
	sentence("stuck", func(v *view) string { return string(v.state.Stuck) }),
	integer("queue", func(v *view) int64 { return int64(v.state.Queue) }),
	yesNo("forced", func(v *view) bool { return v.state.Forced }),
	yesNo("stalled", func(v *view) bool { return v.state.Stalled }),
	words("dir", func(v *view) string { return v.state.Dir }),
	yesNo("have-info", func(v *view) bool { return v.state.HaveInfo }),
	yesNo("private", func(v *view) bool { return v.state.Private }),
	integer("size", func(v *view) int64 { return v.state.Size }),
	integer("wanted", func(v *view) int64 { return v.state.Wanted }),
	integer("got", func(v *view) int64 { return v.state.Got }),
	integer("left", func(v *view) int64 { return v.state.Left }),
	integer("have", func(v *view) int64 { return v.state.Have }),
	integer("files", func(v *view) int64 { return int64(v.state.Files) }),
	integer("pieces", func(v *view) int64 { return int64(v.state.Pieces) }),
	integer("pieces-have", func(v *view) int64 { return int64(v.state.PiecesHave) }),
	integer("piece-length", func(v *view) int64 { return int64(v.state.PieceLength) }),
	integer("metadata-size", func(v *view) int64 { return int64(v.state.MetadataSize) }),
	integer("metadata-have", func(v *view) int64 { return int64(v.state.MetadataHave) }),
	integer("checked", func(v *view) int64 { return v.state.Checked }),
	integer("check-total", func(v *view) int64 { return v.state.CheckTotal }),
	integer("moved", func(v *view) int64 { return v.state.Moved }),
	integer("move-total", func(v *view) int64 { return v.state.MoveTotal }),
	integer("down-rate", func(v *view) int64 { return v.state.DownRate }),
	integer("up-rate", func(v *view) int64 { return v.state.UpRate }),
	known("eta", func(v *view) float64 { return wholeSeconds(v.state.ETA) }),
	known("ratio", func(v *view) float64 { return v.state.Ratio }),
	integer("down", func(v *view) int64 { return v.state.Totals.Down }),
	integer("up", func(v *view) int64 { return v.state.Totals.Up }),
	integer("wasted", func(v *view) int64 { return wasted(v.state.Totals.Waste) }),
	seconds("active", func(v *view) time.Duration { return v.state.Totals.Active }),
	seconds("seeding", func(v *view) time.Duration { return v.state.Totals.Seeding }),
	moment("added", func(v *view) time.Time { return v.state.Totals.Added }),
	moment("completed", func(v *view) time.Time { return v.state.Totals.Completed }),
	moment("last-active", func(v *view) time.Time { return v.state.Totals.LastActive }),
	moment("started", func(v *view) time.Time { return v.state.Started }),
	integer("peers", func(v *view) int64 { return int64(v.state.Swarm.PeersConnected) }),
	integer("seeds", func(v *view) int64 { return int64(v.state.Swarm.SeedsConnected) }),
	integer("peers-known", func(v *view) int64 { return int64(v.state.Swarm.PeersKnown) }),
	integer("sending", func(v *view) int64 { return int64(v.state.Swarm.PeersServing) }),
	integer("receiving", func(v *view) int64 { return int64(v.state.Swarm.PeersUnchoked) }),
	{name: "labels", zero: "[]", append: func(b []byte, v *view) []byte {
		return appendStrings(b, v.options.Labels)
	}, text: func(v *view) string { return strings.Join(v.options.Labels, ",") }},
	words("group", func(v *view) string { return v.options.Group }),
	integer("rank", func(v *view) int64 { return int64(v.options.Rank) }),
	yesNo("sequential", func(v *view) bool { return v.options.Sequential }),
	sentence("tracker", func(v *view) string { return v.torrent.Tracker() }),
	yesNo("temporary", func(v *view) bool { return v.state.Temporary }),
}

// wholeSeconds returns a time that is only an estimate, and -1 for one that is not known.
func wholeSeconds(d time.Duration) float64 {
	if d < 0 {
		return -1
	}
	return math.Ceil(d.Seconds())
}

// wasted returns the sum of what was wasted.
func wasted(by map[string]int64) (sum int64) {
	for _, n := range by {
		sum += n
	}
	return sum
}

// statusWord returns the word for a status.
func statusWord(s daemon.Status) Status {
	if int(s) < len(statuses) {
		return statuses[s]
	}
	return "unknown"
}

// A plan is the fields of a list, with id in front.
type plan []*field

// everything is the plan of all fields.
var everything = func() plan {
	p := make(plan, len(torrentFields))
	for i := range torrentFields {
		p[i] = &torrentFields[i]
	}
	return p
}()

// fieldNamed returns a field, or nil.
func fieldNamed(name string) *field {
	i := slices.IndexFunc(torrentFields, func(f field) bool { return f.name == name })
	if i < 0 {
		return nil
	}
	return &torrentFields[i]
}

// planOf parses a list of names.
func planOf(names string) (plan, error) {
	if names == "" {
		return everything, nil
	}
	p := plan{&torrentFields[0]}
	for name := range strings.SplitSeq(names, ",") {
		f := fieldNamed(strings.TrimSpace(name))
		if f == nil {
			return nil, wrong("fields", "there is no field %q", name)
		}
		if !slices.Contains(p, f) {
			p = append(p, f)
		}
	}
	return p, nil
}

// append appends a torrent as JSON.
func (p plan) append(b []byte, v *view) []byte {
	b = append(b, '{')
	for i, f := range p {
		if f.show != nil && !f.show(v) {
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		b = f.append(b, v)
	}
	return append(b, '}')
}

// appendString appends a string as JSON. Strings of plain ASCII, which most are, are copied.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' ||
			c == '&' {
			escaped, err := json.Marshal(s)
			if err != nil { // no string is an error
				return append(b, '"', '"')
			}
			return append(b, escaped...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendStrings(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

// appendFloat appends a number with at most six digits after the point.
func appendFloat(b []byte, n float64) []byte {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return append(b, '0')
	}
	if math.Abs(n) < 1e15 {
		n = math.Round(n*1e6) / 1e6
	}
	return strconv.AppendFloat(b, n, 'f', -1, 64)
}

func appendTime(b []byte, at time.Time) []byte {
	b = append(b, '"')
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}
