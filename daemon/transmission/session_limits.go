package transmission

import (
	"math"
	"slices"
	"time"

	"swarmnode/daemon"
)

const (
	// The numbers of Transmission for what nobody has set.
	downloadsDefault = 5
	seedsDefault     = 10
	stalledDefault   = 30

	queueMax = 1_000_000
	// ratioMin stands for a ratio of 0, which clients mean as a goal, and which is none of
	// Settings.
	ratioMin = 0.0001
)

// speed returns the quantity of a limit of speed.
func speed(number, on names, of func(s *daemon.Settings) *int64) *quantity {
	return &quantity{number: number, on: on, otherwise: limitDefault, high: speedMax,
		read: func(s *daemon.Settings) float64 { return float64(*of(s)) / speedUnit },
		write: func(s *daemon.Settings, n float64, on bool) {
			*of(s) = bytesOf(n) * int64(one(on))
		}}
}

// one returns 1 or, for a quantity that is off, 0.
func one(on bool) int {
	if on {
		return 1
	}
	return 0
}

// count returns the quantity of a number of torrents.
func count(number, on names, otherwise float64, of func(s *daemon.Settings) *int) *quantity {
	return &quantity{number: number, on: on, otherwise: otherwise, low: 1, high: queueMax,
		read:  func(s *daemon.Settings) float64 { return float64(*of(s)) },
		write: func(s *daemon.Settings, n float64, on bool) { *of(s) = int(n) * one(on) }}
}

// minutes returns the quantity of a time.
func minutes(number, on names, otherwise float64,
	of func(s *daemon.Settings) *time.Duration) *quantity {
	return &quantity{number: number, on: on, otherwise: otherwise, low: 1, high: minutesMax,
		read: func(s *daemon.Settings) float64 { return math.Ceil(of(s).Minutes()) },
		write: func(s *daemon.Settings, n float64, on bool) {
			*of(s) = time.Duration(n) * time.Minute * time.Duration(one(on))
		}}
}

// quantities are the numbers that have a switch.
var quantities = []*quantity{
	speed(names{"speed-limit-down", "speed_limit_down"},
		names{"speed-limit-down-enabled", "speed_limit_down_enabled"},
		func(s *daemon.Settings) *int64 { return &s.Down }),
	speed(names{"speed-limit-up", "speed_limit_up"},
		names{"speed-limit-up-enabled", "speed_limit_up_enabled"},
		func(s *daemon.Settings) *int64 { return &s.Up }),
	count(names{"download-queue-size", "download_queue_size"},
		names{"download-queue-enabled", "download_queue_enabled"}, downloadsDefault,
		func(s *daemon.Settings) *int { return &s.QueueDown }),
	count(names{"seed-queue-size", "seed_queue_size"},
		names{"seed-queue-enabled", "seed_queue_enabled"}, seedsDefault,
		func(s *daemon.Settings) *int { return &s.QueueSeed }),
	minutes(names{"queue-stalled-minutes", "queue_stalled_minutes"},
		names{"queue-stalled-enabled", "queue_stalled_enabled"}, stalledDefault,
		func(s *daemon.Settings) *time.Duration { return &s.QueueStalled }),
	minutes(names{"idle-seeding-limit", "idle_seeding_limit"},
		names{"idle-seeding-limit-enabled", "idle_seeding_limit_enabled"}, idleDefault,
		func(s *daemon.Settings) *time.Duration { return &s.SeedIdle }),
	{number: names{"seedRatioLimit", "seed_ratio_limit"},
		on:        names{"seedRatioLimited", "seed_ratio_limited"},
		otherwise: ratioDefault, low: ratioMin, high: ratioMax, fraction: true,
		read: func(s *daemon.Settings) float64 { return s.SeedRatio },
		write: func(s *daemon.Settings, n float64, on bool) {
			s.SeedRatio = n * float64(one(on))
		}},
}

// limitSettings are the limits, queues and goals.
var limitSettings = slices.Concat(quantityRows(), []setting{
	connections("peer-limit-global", "peer_limit_global", peersDefault,
		func(s *daemon.Settings) *int { return &s.Peers }),
	connections("peer-limit-per-torrent", "peer_limit_per_torrent", torrentPeersDefault,
		func(s *daemon.Settings) *int { return &s.TorrentPeers }),
})

func quantityRows() (rows []setting) {
	for _, q := range quantities {
		rows = append(rows, q.rows()...)
	}
	return rows
}

// connections returns a bound of connections, of which 0 stands for a default.
func connections(legacyName, modernName string, otherwise int,
	of func(s *daemon.Settings) *int) setting {
	return settable(legacyName, modernName,
		func(w *writer, s *session) {
			if n := *of(&s.all); n > 0 {
				w.int(int64(n))
				return
			}
			w.int(int64(otherwise))
		},
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			n, ok := v.within(1, peersMaxMax)
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) { *of(s) = int(n) }, nil
		})
}
