package main

import "testing"

func TestAnnounceTime(t *testing.T) {
	for _, tt := range []struct {
		torrents        int
		rate            countValue
		minutes, enough int
	}{
		{1, 0, 0, 1},
		{1_000, 0, 16, 54},
		{10_000, 0, 160, 534},
		{10_000, 534, 29, 534},
		{10_000, 100, 160, 534},
	} {
		minutes, enough := announceTime(tt.torrents, tt.rate)
		if minutes != tt.minutes || enough != tt.enough {
			t.Errorf("%d torrents at %d queries a second: %d minutes, %d would do; want %d, %d",
				tt.torrents, tt.rate, minutes, enough, tt.minutes, tt.enough)
		}
	}
	if l := dhtLimits(534); l.QueriesOut != 534 || l.AddressesOut != 5340 ||
		l.QueriesOutBurst != 2136 {
		t.Errorf("limits %+v", l)
	}
}
