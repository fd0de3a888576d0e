package core

import "time"

// A Torrent is the state machine of one torrent. It is for one goroutine at a
// time.
type Torrent struct {
	cfg     Config
	start   time.Time
	now     time.Duration // since start
	actions []Action
}

// New returns a torrent without metadata and without peers. Its driver tells
// it addresses by Found; a seed, or a download that is resumed, is told its
// metadata by InfoReady as the first event.
func New(now time.Time, cfg Config) *Torrent {
	cfg.Limits = cfg.Limits.withDefaults()
	return &Torrent{cfg: cfg, start: now}
}

// Step takes in that e happened. What is to be done about it is in Actions.
func (t *Torrent) Step(now time.Time, e Event) {
	t.now = max(t.now, now.Sub(t.start))
}

// Actions appends to buf what is to be done, in order, and forgets it.
func (t *Torrent) Actions(buf []Action) []Action {
	buf = append(buf, t.actions...)
	clear(t.actions) // buffers and payloads are the driver's now
	t.actions = t.actions[:0]
	return buf
}

// NextTick returns when the next Tick is due, or the zero Time if nothing
// waits for one.
func (t *Torrent) NextTick() time.Time { return time.Time{} }

// Snapshot returns where the torrent stands.
func (t *Torrent) Snapshot() Snapshot { return Snapshot{} }

// Peers appends what is known of each connection to buf.
func (t *Torrent) Peers(buf []PeerInfo) []PeerInfo { return buf }
