package swarmnode

import (
	"cmp"
	"log/slog"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	// relaysFile is the file of the relays of strangers, in the state folder.
	relaysFile = "relays"
	// relayRecordsMax bounds the relays that are remembered, relayBookMax the bytes of the file.
	relayRecordsMax = 128
	relayBookMax    = 16 << 10
	// relayFresh is how long a relay that has worked is tried before unknown ones.
	relayFresh = 7 * 24 * time.Hour
	// A relay that has failed is left alone for relayPause, twice as long after each further
	// failure, and for relayPauseMax at most.
	relayPause    = 10 * time.Minute
	relayPauseMax = 24 * time.Hour
)

// A relayRecord is what is known of a stranger's relay. The zero time is never.
type relayRecord struct {
	worked, failed time.Time
	fails          int // since it has worked
}

// last returns when the relay was used last.
func (r relayRecord) last() time.Time {
	if r.failed.After(r.worked) {
		return r.failed
	}
	return r.worked
}

// A relayBook remembers which relays of strangers have worked, and which have not, by the
// addresses of their DHT nodes. It is safe for concurrent use.
type relayBook struct {
	dir folder
	log *slog.Logger

	mu      sync.Mutex
	records map[netip.AddrPort]relayRecord
}

// openRelayBook reads the book of the state folder.
func openRelayBook(dir folder, log *slog.Logger) *relayBook {
	b := &relayBook{dir: dir, log: log, records: make(map[netip.AddrPort]relayRecord)}
	if dir.keeps() {
		text, _, err := statefile.Read(filepath.Join(dir.path, relaysFile), relayBookMax)
		if err == nil {
			b.records = parseRelayBook(text)
		}
	}
	return b
}

// parseRelayBook parses lines of an address, two times in seconds and a number of failures. It
// leaves out what is not one.
func parseRelayBook(text []byte) map[netip.AddrPort]relayRecord {
	records := make(map[netip.AddrPort]relayRecord)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) != 4 || len(records) >= relayRecordsMax {
			continue
		}
		addr, err := netip.ParseAddrPort(fields[0])
		worked, err1 := strconv.ParseUint(fields[1], 10, 40)
		failed, err2 := strconv.ParseUint(fields[2], 10, 40)
		fails, err3 := strconv.ParseUint(fields[3], 10, 8)
		if cmp.Or(err, err1, err2, err3) != nil || addr.Port() == 0 || addr.Addr().Zone() != "" ||
			addr.Addr().Is4In6() || worked|failed == 0 {
			continue
		}
		records[addr] = relayRecord{timeOf(worked), timeOf(failed), int(fails)}
	}
	return records
}

// timeOf returns the time of seconds since 1970, or never for 0.
func timeOf(seconds uint64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// secondsOf is the inverse of timeOf.
func secondsOf(at time.Time) string {
	if at.IsZero() {
		return "0"
	}
	return strconv.FormatInt(at.Unix(), 10)
}

// text returns the file of the book. The caller holds mu.
func (b *relayBook) text() []byte {
	var text []byte
	for _, addr := range slices.SortedFunc(maps.Keys(b.records), netip.AddrPort.Compare) {
		r := b.records[addr]
		text = append(text, addr.String()+" "+secondsOf(r.worked)+" "+secondsOf(r.failed)+" "+
			strconv.Itoa(min(r.fails, 255))+"\n"...)
	}
	return text
}

// good returns the relays that have worked lately and not failed since, in random order.
func (b *relayBook) good(now time.Time) (list []netip.AddrPort) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for addr, r := range b.records {
		if r.fails == 0 && now.Sub(r.worked) < relayFresh {
			list = append(list, addr)
		}
	}
	shuffle(list)
	return list
}

// avoids reports whether a relay has failed so lately that it is left alone.
func (b *relayBook) avoids(addr netip.AddrPort, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.records[addr]
	if r.fails == 0 {
		return false
	}
	pause := relayPauseMax
	if r.fails < 9 {
		pause = min(pause, relayPause<<(r.fails-1))
	}
	since := now.Sub(r.failed)
	return since >= 0 && since < pause // a clock that was set back forgives
}

// note records that a relay has worked, or has failed.
func (b *relayBook) note(addr netip.AddrPort, worked bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.records[addr]
	if worked {
		r.worked, r.fails = now, 0
	} else {
		r.failed, r.fails = now, r.fails+1
	}
	b.records[addr] = r
	if len(b.records) > relayRecordsMax {
		b.evict()
	}
	if !b.dir.writable() {
		return
	}
	if err := statefile.Replace(filepath.Join(b.dir.path, relaysFile), b.text(), true); err != nil {
		b.log.Debug("relays are not remembered", "err", err)
	}
}

// evict forgets the relay that is worth least: one that has never worked, or else the one that
// was used before all others. The caller holds mu.
func (b *relayBook) evict() {
	worst := slices.MinFunc(slices.Collect(maps.Keys(b.records)), func(x, y netip.AddrPort) int {
		never := func(r relayRecord) int {
			if r.worked.IsZero() {
				return 0
			}
			return 1
		}
		a, b := b.records[x], b.records[y]
		return cmp.Or(cmp.Compare(never(a), never(b)), a.last().Compare(b.last()))
	})
	delete(b.records, worst)
}
