package feed

import "time"

const (
	// StrikeEvery is the least time between two strokes.
	StrikeEvery = 5 * time.Second
	// strokesMax bounds the strokes that are remembered: those of two and a half minutes, and
	// of any time without changes in between.
	strokesMax = 32
)

// A stroke says when a change happened. Those that follow it, up to the next stroke, happened
// within StrikeEvery.
type stroke struct {
	at  time.Time
	seq uint64 // of the change before
}

// The hours of a Feed know about when its changes happened.
type hours struct {
	strokes [strokesMax]stroke // a ring
	count   int                // of all strokes, those that are forgotten included
}

// strike says that something changes now, after the change seq.
func (h *hours) strike(now time.Time, seq uint64) {
	if h.count > 0 && now.Sub(h.stroke(h.count-1).at) < StrikeEvery {
		return
	}
	*h.stroke(h.count) = stroke{now, seq}
	h.count++
}

// stroke returns the place of a stroke.
func (h *hours) stroke(i int) *stroke { return &h.strokes[i%strokesMax] }

// moment is that of Feed.Moment. seq is that of the last change.
func (h *hours) moment(t time.Time, seq uint64) uint64 {
	next := seq // the moment of the stroke after the one that is looked at
	for i := h.count - 1; i >= max(h.count-strokesMax, 0); i-- {
		s := h.stroke(i)
		switch {
		case !t.Before(s.at.Add(StrikeEvery)):
			return next
		case !t.Before(s.at):
			return s.seq
		}
		next = s.seq
	}
	return 0
}
