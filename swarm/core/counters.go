package core

// counters are what a torrent counts for its Snapshot.
type counters struct {
	met     int      // connections to peers, web servers left out
	reasons *reasons // nil until something was wasted or somebody dropped
}

// reasons count by reason. Most torrents at rest have none.
type reasons struct {
	waste [reasonCount]int64 // bytes
	drops [reasonCount]int

	// The maps that snapshots show. They are never changed, and nil if they are not up to
	// date or would be empty.
	wasteShown map[Reason]int64
	dropsShown map[Reason]int
}

// by returns the counts to change.
func (c *counters) by() *reasons {
	if c.reasons == nil {
		c.reasons = new(reasons)
	}
	return c.reasons
}

// wasted records that n received bytes were of no use.
func (c *counters) wasted(why Reason, n int) {
	r := c.by()
	r.waste[why] += int64(n)
	r.wasteShown = nil
}

// dropped records that we ended a connection.
func (c *counters) dropped(why Reason) {
	r := c.by()
	r.drops[why]++
	r.dropsShown = nil
}

// connected records that a peer was met.
func (c *counters) connected() { c.met++ }

// show puts the counters into a snapshot.
func (c *counters) show(s *Snapshot) {
	s.PeersMet = c.met
	r := c.reasons
	if r == nil {
		return
	}
	if r.wasteShown == nil {
		r.wasteShown = counted(r.waste)
	}
	if r.dropsShown == nil {
		r.dropsShown = counted(r.drops)
	}
	s.Waste, s.Drops = r.wasteShown, r.dropsShown
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
