package utp

import (
	"testing"
	"time"
)

// BenchmarkModel measures what the congestion control makes of modelled paths, and what that
// costs: link is the goodput over the rate of the link, queue-ms the 95th percentile of the
// queue. The long paths are (a) of docs/design/networks.md, the uplink is (e).
func BenchmarkModel(b *testing.B) {
	for _, c := range []struct {
		name       string
		rate       float64
		rtt, queue time.Duration
		loss       float64
	}{
		{"long", 100, 50 * ms, 100 * ms, 0},
		{"long/loss=0.1%", 100, 50 * ms, 100 * ms, 0.001},
		{"long/loss=1%", 100, 50 * ms, 100 * ms, 0.01},
		{"uplink", 5, 21 * ms, 500 * ms, 0},
		{"far", 20, 300 * ms, 100 * ms, 0},
		{"near", 1000, 2 * ms, 20 * ms, 0},
	} {
		b.Run(c.name, func(b *testing.B) {
			var packets uint64
			for b.Loop() {
				l := newBulk(b, 1, c.rate, c.rtt, c.queue)
				l.there.loss = c.loss
				l.watchQueue()
				l.from.dial()
				got := l.goodput(l.to, 20*time.Second)
				b.ReportMetric(got, "link")
				b.ReportMetric(float64(l.there.percentile(0.95))/float64(ms), "queue-ms")
				packets += l.from.m.stats.sentPackets
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
		})
	}
}
