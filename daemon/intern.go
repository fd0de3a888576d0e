package daemon

import "unique"

// intern makes r share the strings that many torrents have in common: folders, labels,
// trackers. Nobody else knows r yet.
func (r *record) intern() {
	r.Options.intern()
	r.Place = shared(r.Place)
	shareAll(r.Peers)
	for _, tier := range r.Trackers {
		shareAll(tier)
	}
}

// intern does so for options that nobody else knows yet.
func (o *Options) intern() {
	o.Dir, o.Group = shared(o.Dir), shared(o.Group)
	shareAll(o.Labels)
	for _, tier := range o.Trackers {
		shareAll(tier)
	}
}

// shareAll replaces strings by shared ones.
func shareAll(list []string) {
	for i := range list {
		list[i] = shared(list[i])
	}
}

// shared returns a string that all who call it with the same one have in common.
func shared(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(s).Value()
}
