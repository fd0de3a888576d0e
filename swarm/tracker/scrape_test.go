package tracker

import (
	"errors"
	"slices"
	"testing"

	"swarmnode/metainfo"
)

// No answer to a scrape breaks its parsers, and what they return is in bounds: as many
// counts as hashes, each a number or -1.
func FuzzParseScrape(f *testing.F) {
	f.Add([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi50e10:incompletei10eee" +
		"5:flagsd20:min_request_intervali1800eee"))
	f.Add([]byte("d14:failure reason7:no suche"))
	f.Add([]byte("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei-1e10:downloadedi99999999999999999999eeee"))
	f.Add([]byte("d5:filesld8:completei1eeee"))
	f.Add([]byte("\x00\x00\x00\x02\x00\x00\x00\x07\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00\x03" +
		"\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\x00\x05"))
	f.Add([]byte("\x00\x00\x00\x03\x00\x00\x00\x07no"))
	hashes := []metainfo.Hash{hashA, hashB}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, parse := range []func() ([]Counts, error){
			func() ([]Counts, error) { return parseScrape(b, hashes) },
			func() ([]Counts, error) { return parseScrapeUDP(b, len(hashes)) },
		} {
			counts, err := parse()
			var failure *Failure
			switch {
			case err != nil && !errors.Is(err, ErrAnswer) && !errors.As(err, &failure):
				t.Errorf("an error of no type: %v", err)
			case err != nil && len(counts) > 0:
				t.Error("counts beside an error")
			case err == nil && len(counts) != len(hashes):
				t.Errorf("%d counts for %d torrents", len(counts), len(hashes))
			case failure != nil && len(failure.Reason) > 4*textMax:
				t.Errorf("a reason of %d bytes", len(failure.Reason))
			}
			if slices.ContainsFunc(counts, func(c Counts) bool {
				return min(c.Seeds, c.Leeches, c.Completed) < -1
			}) {
				t.Errorf("out of bounds: %+v", counts)
			}
		}
	})
}
