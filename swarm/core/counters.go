package core

// counters are what a torrent counts for its Snapshot.
type counters struct {
	waste [reasonCount]int64 // bytes
	drops [reasonCount]int
	met   int // connections to peers, web servers left out

	// The maps that snapshots show. They are never changed, and nil if they are not up to
	// date or would be empty.
	wasteShown map[Reason]int64
	dropsShown map[Reason]int
}

// wasted records that n received bytes were of no use.
func (c *counters) wasted(why Reason, n int) {
	c.waste[why] += int64(n)
	c.wasteShown = nil
}

// dropped records that we ended a connection.
func (c *counters) dropped(why Reason) {
	c.drops[why]++
	c.dropsShown = nil
}

// connected records that a peer was met.
func (c *counters) connected() { c.met++ }

// show puts the counters into a snapshot.
func (c *counters) show(s *Snapshot) {
	if c.wasteShown == nil {
		c.wasteShown = counted(c.waste)
	}
	if c.dropsShown == nil {
		c.dropsShown = counted(c.drops)
	}
	s.PeersMet, s.Waste, s.Drops = c.met, c.wasteShown, c.dropsShown
}

// counted returns the counts that are not 0, or nil if all are.
func counted[N int | int64](counts [reasonCount]N) map[Reason]N {
	var by map[Reason]N
	for reason, n := range counts {
		if n == 0 {
			continue
		}
		if by == nil {
			by = make(map[Reason]N)
		}
		by[Reason(reason)] = n
	}
	return by
}
