package swarm

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"swarmnode/metainfo"
	"swarmnode/metainfo/bencode"
)

const (
	totalsMagic   = "swarmnode totals "
	totalsVersion = "1"
	// totalsBytesMax bounds a record, and wasteNamesMax the reasons of waste in it, which
	// have at most wasteNameMax bytes. All leave room for later versions.
	totalsBytesMax = 8 << 10
	wasteNamesMax  = 64
	wasteNameMax   = 64

	// totalMax bounds the numbers in a record: the bytes, and the seconds since 1970.
	totalMax = 1 << 60
	// durationMax bounds a time span in a record, in seconds: a century.
	durationMax = 100 * 366 * 24 * 3600
)

// errTotals is wrapped by the errors about records that cannot be used.
var errTotals = errors.New("record of totals is damaged")

// appendTotals appends the record of the totals of a torrent: a line with the version, a
// bencoded dictionary, and the SHA-256 of both. Times are in seconds.
func appendTotals(dst []byte, hash metainfo.Hash, all *Totals) []byte {
	start := len(dst)
	dst = append(dst, totalsMagic+totalsVersion+"\n"...)
	dst = bencode.AppendDict(dst, func(b []byte) []byte {
		number := func(key string, n int64) {
			b = bencode.AppendInt(bencode.AppendString(b, key), max(n, 0))
		}
		number("active", int64(all.Active/time.Second))
		number("added", seconds(all.Added))
		number("completed", seconds(all.Completed))
		number("down", all.Down)
		b = bencode.AppendString(bencode.AppendString(b, "hash"), hash[:])
		number("last", seconds(all.LastActive))
		number("seeding", int64(all.Seeding/time.Second))
		number("up", all.Up)
		b = bencode.AppendString(b, "waste")
		return bencode.AppendDict(b, func(b []byte) []byte {
			for _, name := range slices.Sorted(maps.Keys(all.Waste)) {
				b = bencode.AppendInt(bencode.AppendString(b, name), max(all.Waste[name], 0))
			}
			return b
		})
	})
	sum := sha256.Sum256(dst[start:])
	return append(dst, sum[:]...)
}

// seconds returns the seconds from 1970 to t, 0 if t is zero.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// parseTotals reads the record of the totals of a torrent.
func parseTotals(doc []byte, hash metainfo.Hash) (all Totals, err error) {
	body, ok := bytes.CutPrefix(doc, []byte(totalsMagic+totalsVersion+"\n"))
	if !ok || len(doc) > totalsBytesMax || len(body) < sha256.Size {
		return Totals{}, fmt.Errorf("%w: not of version %s", errTotals, totalsVersion)
	}
	end := len(doc) - sha256.Size
	if sum := sha256.Sum256(doc[:end]); !bytes.Equal(sum[:], doc[end:]) {
		return Totals{}, fmt.Errorf("%w: wrong checksum", errTotals)
	}
	r := totalsReader{in: bencode.NewReader(body[:len(body)-sha256.Size],
		bencode.Limits{DepthMax: 2})}
	whose := r.read(&all)
	switch {
	case r.in.Close() != nil:
		return Totals{}, fmt.Errorf("%w: %w", errTotals, r.in.Close())
	case !bytes.Equal(whose, hash[:]):
		return Totals{}, fmt.Errorf("%w: of another torrent", errTotals)
	case r.bad:
		return Totals{}, fmt.Errorf("%w: a number makes no sense", errTotals)
	}
	return all, nil
}

// A totalsReader reads the dictionary of a record.
type totalsReader struct {
	in  *bencode.Reader
	bad bool // a number makes no sense
}

// read reads the dictionary, and returns the info-hash in it. It passes over keys of later
// versions.
func (r *totalsReader) read(all *Totals) (hash []byte) {
	for key := range r.in.Dict() {
		switch string(key) {
		case "active":
			all.Active = r.duration()
		case "added":
			all.Added = r.moment()
		case "completed":
			all.Completed = r.moment()
		case "down":
			all.Down = r.number()
		case "hash":
			hash = r.in.Bytes()
		case "last":
			all.LastActive = r.moment()
		case "seeding":
			all.Seeding = r.duration()
		case "up":
			all.Up = r.number()
		case "waste":
			all.Waste = r.waste()
		}
	}
	return hash
}

// number reads a number that is not negative, and small enough for sums of such.
func (r *totalsReader) number() int64 {
	n := r.in.Int()
	r.bad = r.bad || n < 0 || n > totalMax
	return n
}

func (r *totalsReader) duration() time.Duration {
	n := r.number()
	r.bad = r.bad || n > durationMax
	return time.Duration(n) * time.Second
}

// moment reads a time; 0 is none.
func (r *totalsReader) moment() (t time.Time) {
	if n := r.number(); n > 0 {
		t = time.Unix(n, 0)
	}
	return t
}

// waste reads what was wasted by reason, with reasons that this version does not know.
func (r *totalsReader) waste() map[string]int64 {
	var by map[string]int64
	for name := range r.in.Dict() {
		n := r.number()
		if len(name) > wasteNameMax || len(by) == wasteNamesMax {
			continue
		}
		if by == nil {
			by = make(map[string]int64)
		}
		by[string(name)] = n
	}
	return by
}
