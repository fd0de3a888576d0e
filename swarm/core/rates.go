package core

import "time"

const (
	// meterSeconds is how far a meter looks back: peers are compared over this
	// interval for tit-for-tat.
	meterSeconds = 20
	// recentSeconds is the interval of the rate that decides how many blocks a peer is
	// asked for.
	recentSeconds = 3
)

// A meter counts bytes in all, and in each of the last seconds.
type meter struct {
	total int64
	first time.Duration // when the first bytes came
	last  time.Duration // when the last bytes came
	at    int64         // the second of the newest slot
	// slots is nil before the first bytes: most torrents and many peers have none.
	slots *[meterSeconds]int64
}

// sum returns how many bytes there were.
func (m *meter) sum() int64 { return m.total }

// latest returns when the last bytes came, 0 if none did.
func (m *meter) latest() time.Duration { return m.last }

func (m *meter) add(now time.Duration, n int) {
	if m.slots == nil {
		m.slots = new([meterSeconds]int64)
		m.first = now
	}
	m.last = now
	m.advance(now)
	m.slots[m.at%meterSeconds] += int64(n)
	m.total += int64(n)
}

// advance empties the slots of the seconds that passed without a byte.
func (m *meter) advance(now time.Duration) {
	second := int64(now / time.Second)
	if second-m.at >= meterSeconds {
		clear(m.slots[:])
		m.at = second
	}
	for m.at < second {
		m.at++
		m.slots[m.at%meterSeconds] = 0
	}
}

// rate returns bytes per second over the last 20 s, or since the first byte.
func (m *meter) rate(now time.Duration) int64 { return m.over(now, meterSeconds) }

// recent returns bytes per second over the last 3 s, or since the first byte.
func (m *meter) recent(now time.Duration) int64 { return m.over(now, recentSeconds) }

func (m *meter) over(now time.Duration, seconds int64) int64 {
	if m.slots == nil {
		return 0
	}
	m.advance(now)
	var sum int64
	for s := max(0, m.at-seconds+1); s <= m.at; s++ {
		sum += m.slots[s%meterSeconds]
	}
	// The newest slot is not over yet, so the interval is shorter.
	span := min(now-time.Duration(max(0, m.at-seconds+1))*time.Second, now-m.first)
	span = max(span, time.Second/4)
	return int64(float64(sum) / span.Seconds())
}
