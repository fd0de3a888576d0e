package storage

import "swarmnode/swarm/bits"

// rechecked takes over the findings of a Recheck: sound are the pieces that were found to be
// right. Files that were not changed since the survey v, by this Store or by others, are now
// as they were left; those of size -1 in v were changed.
func (l *ledger) rechecked(v *resurvey, sound *bits.Set) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, st := range v.files {
		x := &l.stamps[i]
		if st.size < 0 || x.open {
			continue
		}
		*x = stamp{mtime: st.mtime, ctime: st.ctime, size: st.size, ours: x.ours}
	}
	if l.unproven == nil || l.doubts != v.doubts {
		return
	}
	for p := range sound.Members() {
		l.unproven.Remove(p)
	}
}
