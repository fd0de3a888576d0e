package swarm

import (
	"errors"
	"fmt"
	"time"

	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/webseed"
)

// A WebSeedStatus says what a web seed is doing.
type WebSeedStatus uint8

// The statuses of web seeds.
const (
	// WebSeedIdle: nothing is asked of it, because nothing is missing, the metadata is not
	// known, or the torrent is paused.
	WebSeedIdle    WebSeedStatus = iota
	WebSeedActive                // it is asked for what is missing
	WebSeedWaiting               // it failed and is left alone for a while
	WebSeedFailed                // it failed and is not asked again: wrong data or a bad URL
)

func (s WebSeedStatus) String() string {
	if s > WebSeedFailed {
		return "unknown"
	}
	return [...]string{"idle", "active", "waiting", "failed"}[s]
}

// A WebSeedState describes one web seed (BEP 19) of a torrent at one moment.
type WebSeedState struct {
	URL    string // it may hold a key of the user, so it is not for logs
	User   bool   // the user named it, and not the torrent or link
	Status WebSeedStatus
	// Err is the last failure of the server or of one of its files; nil if something was
	// fetched since.
	Err     error
	RetryAt time.Time // when it is asked again, while WebSeedWaiting
	Down    int64     // payload bytes received from it
	Rate    int64     // payload bytes per second over the last 20 s
}

// ErrTooManyWebSeeds says that SetWebSeeds was given more than 16 URLs.
var ErrTooManyWebSeeds = errors.New("too many web seeds, want at most 16")

// A WebSeedError says which URL cannot be that of a web seed, and why.
type WebSeedError struct {
	URL string // as it was given; it may hold a key of the user
	Err error  // wraps webseed.ErrURL
}

// Error shows the scheme and the host of the URL only, as paths can hold keys.
func (e *WebSeedError) Error() string {
	return fmt.Sprintf("%q cannot be the URL of a web seed: %v", withoutPath(e.URL), e.Err)
}

// Unwrap returns Err.
func (e *WebSeedError) Unwrap() error { return e.Err }

// WebSeeds describes the web seeds of the torrent. Of those that the torrent, the link and
// Spec name, the first 16 are used. ChangedTrackers says that something but the bytes has
// changed.
func (t *Torrent) WebSeeds() []WebSeedState {
	states, keys, active := t.webSeeds.states()
	if !active {
		return states
	}
	t.command(func(now time.Time) error {
		for _, info := range t.loop.core.Peers(now, nil) {
			for i, key := range keys {
				if info.Endpoint == endpoint.WebSeed(key) {
					states[i].Rate = info.DownRate
				}
			}
		}
		return nil
	})
	return states
}

// states describes the web seeds, whose keys are keys. active reports whether one is
// connected.
func (w *webSeeds) states() (states []WebSeedState, keys []endpoint.Key, active bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.list {
		state := WebSeedState{URL: s.url, User: !s.stranger, Err: s.err, Down: s.down}
		switch {
		case s.lost:
			state.Status = WebSeedFailed
		case s.conn != nil:
			active = true
			state.Status = WebSeedActive
			state.Down += s.conn.Read()
			if state.RetryAt, state.Err = s.conn.Trouble(); !state.RetryAt.IsZero() {
				state.Status = WebSeedWaiting
			}
		case !s.retry.IsZero():
			state.Status, state.RetryAt = WebSeedWaiting, s.retry
		}
		states, keys = append(states, state), append(keys, s.key)
	}
	return states, keys, active
}

// SetWebSeeds replaces the web seeds of the torrent, including those that the torrent or
// link names. Those that stay keep their state, and a URL that a stranger wrote stays the
// stranger's: see SetTrackers. If a URL cannot be used, nothing changes and the error is a
// *WebSeedError. Other errors are ErrTooManyWebSeeds, ErrPeersOnly, and ErrStopped after
// the end of the torrent. A torrent with Spec.Complete uses none.
func (t *Torrent) SetWebSeeds(urls []string) error {
	if err := CheckWebSeeds(urls); err != nil {
		return err
	}
	if t.spec.PeersOnly {
		return ErrPeersOnly
	}
	var seeds []*webSeed
	for _, url := range urls {
		seeds = append(seeds, &webSeed{url: url})
	}
	return t.command(func(time.Time) error {
		for _, gone := range t.webSeeds.set(seeds) {
			t.webSeeds.remove(gone)
		}
		t.loop.wakeWebSeeds()
		t.changed(ChangedTrackers)
		return nil
	})
}

// CheckWebSeeds returns the error with which SetWebSeeds refuses URLs, whatever the torrent,
// or nil.
func CheckWebSeeds(urls []string) error {
	if len(urls) > webSeedsMax {
		return ErrTooManyWebSeeds
	}
	for _, url := range urls {
		if err := webseed.CheckURL(url); err != nil {
			return &WebSeedError{URL: url, Err: err}
		}
	}
	return nil
}
