package control

import (
	"net/http"
	"testing"
)

func TestTakesGzip(t *testing.T) {
	for accept, want := range map[string]bool{
		"":                     false,
		"gzip":                 true,
		"GZip":                 true,
		"br, gzip":             true,
		"deflate,gzip ; q=0.5": true,
		"gzip;q=1.0":           true,
		"gzip; q = 0.001":      true,
		"gzip;q=0":             false,
		"gzip;q=0.000":         false,
		"gzip;q=x":             false,
		"*":                    true,
		"*;q=0":                false,
		"*, gzip;q=0":          false,
		"gzip;q=0, *":          false,
		"identity, *;q=0.1":    true,
		"identity;q=1, br":     false,
		"xgzip, gzipx":         false,
	} {
		head := http.Header{"Accept-Encoding": {accept}}
		if got := TakesGzip(head); got != want {
			t.Errorf("%q: %v, want %v", accept, got, want)
		}
	}
	if !TakesGzip(http.Header{"Accept-Encoding": {"br", "gzip"}}) {
		t.Error("the second line does not count")
	}
}
