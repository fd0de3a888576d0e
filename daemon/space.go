package daemon

import (
	"fmt"
	"sync"
	"time"
)

const (
	// spaceEvery is the time between two looks at the free space of a folder.
	spaceEvery = 10 * time.Second
	// spaceSlack is how much more than Settings.MinFree must be free before downloads go on,
	// as a share of it, and at least spaceSlackMin: so they do not rest again after a moment.
	spaceSlack    = 1. / 16
	spaceSlackMin = 16 << 20
	// spaceLooksMax bounds how many folders are looked at at one time. A file system that
	// hangs keeps one place.
	spaceLooksMax = 16
)

// A space knows in which folders there is room for downloads. Only the steward calls it; the
// looks are taken by other goroutines.
type space struct {
	world   world
	wake    func()
	minFree int64
	used    map[string]bool // folders that downloads write to, since forget
	rooms   map[string]*room
	lookAt  time.Time // when the folders are looked at next

	mu    sync.Mutex
	looks int             // under way
	seen  map[string]seen // results that were not taken yet
}

// A room is what is known of one folder.
type room struct {
	known   bool
	free    int64
	refused bool // there was too little at the last look
	looking bool
}

// seen is the result of a look.
type seen struct {
	free int64
	err  error
}

func (s *space) init(w world, wake func()) {
	s.world, s.wake = w, wake
	s.used, s.rooms = make(map[string]bool), make(map[string]*room)
}

// limit sets Settings.MinFree.
func (s *space) limit(minFree int64) {
	if s.minFree != minFree {
		s.minFree = minFree
		clear(s.rooms)
	}
}

// forget forgets which folders are used, before all torrents are looked at.
func (s *space) forget() { clear(s.used) }

// refuses returns why a download into a folder has to rest, "" if it need not. full says that
// it could not write there just now.
func (s *space) refuses(now time.Time, dir string, full bool) string {
	if s.minFree == 0 {
		return ""
	}
	s.used[dir] = true
	r := s.rooms[dir]
	if r == nil {
		r = new(room)
		s.rooms[dir] = r
		s.look(dir, r)
	}
	if full && !r.refused {
		r.refused = true
		s.lookAt = now.Add(spaceEvery)
	}
	if !r.refused {
		return ""
	}
	return fmt.Sprintf("less than %s is free on the file system of %s", sizeText(s.minFree), dir)
}

// look looks at a folder in the background.
func (s *space) look(dir string, r *room) {
	s.mu.Lock()
	ok := s.looks < spaceLooksMax && !r.looking
	if ok {
		s.looks++
	}
	s.mu.Unlock()
	if !ok {
		return
	}
	r.looking = s.world.background(func() {
		free, err := s.world.freeSpace(dir)
		s.mu.Lock()
		s.looks--
		if s.seen == nil {
			s.seen = make(map[string]seen)
		}
		s.seen[dir] = seen{free, err}
		s.mu.Unlock()
		s.wake()
	})
	if !r.looking {
		s.mu.Lock()
		s.looks--
		s.mu.Unlock()
	}
}

// news takes the results of looks, and reports whether they change something.
func (s *space) news() (changed bool) {
	s.mu.Lock()
	results := s.seen
	s.seen = nil
	s.mu.Unlock()
	for dir, result := range results {
		r := s.rooms[dir]
		if r == nil {
			continue
		}
		r.looking = false
		if result.err != nil { // it is not known, and writing will tell
			changed = changed || r.refused
			r.refused = false
			continue
		}
		r.known, r.free = true, result.free
		least := s.minFree
		if r.refused {
			least += max(int64(float64(s.minFree)*spaceSlack), spaceSlackMin)
		}
		if refused := r.free < least; refused != r.refused {
			r.refused, changed = refused, true
		}
	}
	return changed
}

// next looks at the folders again if it is time to, and returns when it will be time again;
// zero: no download needs that.
func (s *space) next(now time.Time) time.Time {
	if s.minFree == 0 || len(s.used) == 0 {
		return time.Time{}
	}
	if now.Before(s.lookAt) {
		return s.lookAt
	}
	s.lookAt = now.Add(spaceEvery)
	for dir, r := range s.rooms {
		if s.used[dir] {
			s.look(dir, r)
		} else if !r.looking {
			delete(s.rooms, dir)
		}
	}
	return s.lookAt
}

// sizeText writes a number of bytes in the largest unit that it is a multiple of, or nearly.
func sizeText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	size, unit := float64(n), 0
	for size >= 1024 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	if size == float64(int64(size)) {
		return fmt.Sprintf("%d %s", int64(size), units[unit])
	}
	return fmt.Sprintf("%.1f %s", size, units[unit])
}
