package stream

import "slices"

// trailsMax bounds the heads of one Trails: a video, its sound, its index and one more.
const trailsMax = 4

// Trails are the heads of one reader that names a place with each read, and may read in
// several places in turn. The zero value has none. It is for one goroutine at a time.
type Trails struct {
	heads []*Head // the one that was used last comes last
}

// Follow returns the head that reads at byte at of the content: one that is near, or a new
// one. A new head takes the place of the one that was not used for longest, if there are
// too many. The file ends before byte end.
func (t *Trails) Follow(p *Plan, at, end int64) *Head {
	i := slices.IndexFunc(t.heads, func(h *Head) bool { return h.Near(at) })
	if i < 0 {
		if len(t.heads) == trailsMax {
			p.Close(t.heads[0])
			t.heads = slices.Delete(t.heads, 0, 1)
		}
		t.heads = append(t.heads, p.Open(at, end))
		return t.heads[len(t.heads)-1]
	}
	h := t.heads[i]
	t.heads = append(slices.Delete(t.heads, i, i+1), h)
	if at > h.at {
		h.at = at
	}
	return h
}

// Close removes all heads.
func (t *Trails) Close(p *Plan) {
	for _, h := range t.heads {
		p.Close(h)
	}
	t.heads = nil
}
