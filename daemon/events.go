package daemon

// An Event is something about a torrent that users want to hear of.
type Event uint8

// The events.
const (
	EventAdded    Event = iota
	EventComplete       // the last wanted piece came while the torrent ran
	EventError          // State.Error was empty, and is not any more
	EventRemoved
)

func (e Event) String() string {
	return [...]string{"added", "complete", "error", "removed"}[e]
}

// hear makes f hear of each event, in the goroutine in which it happens. f must not wait. It
// is called before the daemon has torrents.
func (d *Daemon) hear(f func(t *Torrent, e Event)) { d.listeners = append(d.listeners, f) }

// happened tells the listeners of an event.
func (d *Daemon) happened(t *Torrent, e Event) {
	for _, f := range d.listeners {
		f(t, e)
	}
}
