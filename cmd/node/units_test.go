package main

import (
	"strings"
	"testing"
	"time"
)

func TestFormatBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 17: "17 B", 1023: "1023 B", 1024: "1.00 KiB", 1536: "1.50 KiB",
		10 << 10: "10.0 KiB", 100 << 10: "100 KiB", 1<<20 - 1: "1024 KiB", 1300 << 20: "1.27 GiB",
		1 << 40: "1.00 TiB", 1<<63 - 1: "8.00 EiB",
	} {
		if got := formatBytes(n); got != want {
			t.Errorf("formatBytes(%d) = %q, want %q", n, got, want)
		}
	}
	if got := formatOf(1300<<20, 3007<<20); got != "1.27/2.94 GiB" {
		t.Errorf("formatOf = %q", got)
	}
	if got := formatOf(17, 3<<30); got != "0.00/3.00 GiB" {
		t.Errorf("formatOf = %q", got)
	}
}

func TestFormatPercent(t *testing.T) {
	for _, c := range []struct {
		n, total int64
		want     string
	}{
		{0, 0, "0.0%"}, {0, 7, "0.0%"}, {1, 3, "33.3%"}, {2, 3, "66.6%"}, {7, 7, "100.0%"},
		{1<<60 - 1, 1 << 60, "99.9%"}, // not complete, so not 100
	} {
		if got := formatPercent(c.n, c.total); got != c.want {
			t.Errorf("formatPercent(%d, %d) = %q, want %q", c.n, c.total, got, c.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", -time.Second: "0s", 18*time.Second + 400*time.Millisecond: "18s",
		59*time.Second + 600*time.Millisecond: "1m00s",
		130 * time.Second:                     "2m10s", 3*time.Hour + 4*time.Minute: "3h04m",
		76 * time.Hour: "3d04h",
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("formatDuration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestETA(t *testing.T) {
	if d, ok := eta(100, 10); !ok || d != 10*time.Second {
		t.Errorf("eta(100, 10) = %v, %v", d, ok)
	}
	for _, c := range [][2]int64{{100, 0}, {100, -1}, {-1, 1}, {1 << 60, 1}} {
		if d, ok := eta(c[0], c[1]); ok {
			t.Errorf("eta(%d, %d) = %v, want none", c[0], c[1], d)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "1": 1, "500k": 500 << 10, "1.5M": 3 << 19, "16KiB": 16 << 10, "16kb": 16 << 10,
		"2g": 2 << 30, " 1 ": 1, "1Ti": 1 << 40, "12b": 12,
	} {
		if got, err := parseBytes(s); err != nil || got != want {
			t.Errorf("parseBytes(%q) = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "k", "-1", "1e9", "1x", "0x10", "1kk", "1.2.3", "Inf", "NaN",
		"9999999T", "1 k"} {
		if got, err := parseBytes(s); err == nil {
			t.Errorf("parseBytes(%q) = %d, want an error", s, got)
		}
	}
}

// The value that a flag shows can be given as its value.
func TestCompactBytes(t *testing.T) {
	for _, n := range []int64{0, 1, 1000, 1024, 16 << 10, 3 << 19, 1 << 40} {
		s := compactBytes(n)
		if got, err := parseBytes(s); err != nil || got != n {
			t.Errorf("parseBytes(%q) = %d, %v, want %d", s, got, err, n)
		}
	}
}

func TestEscape(t *testing.T) {
	for s, want := range map[string]string{
		"plain":             "plain",
		"größe 文件 😀 é":      "größe 文件 😀 é",
		"a\x1b[31mb":        `a\x1b[31mb`,
		"two\nlines\r\t":    `two\x0alines\x0d\x09`,
		"gpj.\u202Eexe":     `gpj.\u202eexe`,
		"zero\u200bwidth":   `zero\u200bwidth`,
		"\x00\x7f\u009b31m": `\x00\x7f\u009b31m`,
		"bad\xff\xfeutf8":   `bad\xff\xfeutf8`,
		"\U000e0041tag":     `\U000e0041tag`,
		"real \uFFFD":       "real \uFFFD",
	} {
		if got := escape(s); got != want {
			t.Errorf("escape(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestFormatTook(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "0s",
		258 * time.Microsecond:   "260µs",
		1234 * time.Microsecond:  "1.23ms",
		38400 * time.Microsecond: "38ms",
		3240 * time.Millisecond:  "3.2s",
		9990 * time.Millisecond:  "10s",
		130 * time.Second:        "2m10s",
	} {
		if got := formatTook(d); got != want {
			t.Errorf("formatTook(%v) = %q, want %q", d, got, want)
		}
	}
}

// Text may be empty, which is not the same as missing, and must be UTF-8.
func TestTextValue(t *testing.T) {
	old := "old"
	var v textValue
	if v.setIn(&old); old != "old" {
		t.Errorf("a flag that was not given changed the text to %q", old)
	}
	if err := v.Set("\xff"); err == nil {
		t.Error("bytes were taken for text")
	}
	if err := v.Set(""); err != nil {
		t.Error(err)
	}
	if v.setIn(&old); old != "" {
		t.Errorf("got %q, want no text", old)
	}
}

// A URL that the command line accepts is one to readers of the torrent.
func TestCheckURL(t *testing.T) {
	for url, want := range map[string]bool{
		"http://a.example/announce":              true,
		"udp://[::1]:6969":                       true,
		"http://ä.example/?x=%20":                true,
		"":                                       false,
		"http://":                                false,
		"a.example":                              false,
		"http://a b/":                            false,
		"http://a\u202e/":                        false,
		"http://a\xff/":                          false,
		"http://a/" + strings.Repeat("x", 8<<10): false,
		"http://a/" + strings.Repeat("x", 8<<10-99): true,
	} {
		if got := checkURL(url) == nil; got != want {
			t.Errorf("%.40q: taken %v, want %v", url, got, want)
		}
	}
}
