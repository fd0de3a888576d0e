package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const unitNames = "KMGTPE"

// unitOf returns the size and name of the largest unit of which n bytes hold at least
// one.
func unitOf(n int64) (float64, string) {
	size, name := 1.0, "B"
	for _, u := range unitNames {
		if float64(n) < size*1024 {
			break
		}
		size, name = size*1024, string(u)+"iB"
	}
	return size, name
}

// formatBytes writes n bytes with about three digits: "17 B", "1.21 GiB".
func formatBytes(n int64) string {
	size, name := unitOf(n)
	return digits(n, size) + " " + name
}

// formatOf writes "1.21/2.80 GiB": both numbers in the unit of the larger.
func formatOf(n, total int64) string {
	size, name := unitOf(total)
	return digits(n, size) + "/" + digits(total, size) + " " + name
}

func digits(n int64, size float64) string {
	v := float64(n) / size
	switch {
	case size == 1:
		return strconv.FormatInt(n, 10)
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// formatRate writes a rate in bytes per second: "12.3 MiB/s".
func formatRate(n int64) string { return formatBytes(n) + "/s" }

// formatPercent rounds down, so that only what is complete is 100 %.
func formatPercent(n, total int64) string {
	if total <= 0 {
		return "0.0%"
	}
	tenths := int64(math.Floor(float64(n) / float64(total) * 1000))
	if n < total {
		tenths = min(tenths, 999)
	}
	return fmt.Sprintf("%d.%d%%", tenths/10, tenths%10)
}

// formatDuration writes the two largest parts of d: "18s", "2m10s", "3d04h".
func formatDuration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", max(s, 0))
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// formatTook writes how long something took, with fractions of a second if it was quick:
// "260µs", "38ms", "3.2s", "2m10s".
func formatTook(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return formatDuration(d)
}

// etaMax is the longest time to completion worth showing.
const etaMax = 100 * 24 * time.Hour

// eta returns how long left bytes take at rate bytes per second; ok is false when that is
// unknown.
func eta(left, rate int64) (d time.Duration, ok bool) {
	if rate <= 0 || left < 0 {
		return 0, false
	}
	seconds := float64(left) / float64(rate)
	if seconds > etaMax.Seconds() {
		return 0, false
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// plural writes "1 file", "2 files".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

var errSize = errors.New("not a size such as 500k, 16KiB or 1.5M")

// parseBytes reads a number of bytes. The suffixes k, m, g and t, in either
// case and with or without "iB" or "B", stand for powers of 1024.
func parseBytes(s string) (int64, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	text = strings.TrimSuffix(text, "b")
	number := strings.TrimRight(text, "kmgti")
	scale := 1.0
	switch suffix := text[len(number):]; suffix {
	case "":
	case "k", "ki":
		scale = 1 << 10
	case "m", "mi":
		scale = 1 << 20
	case "g", "gi":
		scale = 1 << 30
	case "t", "ti":
		scale = 1 << 40
	default:
		return 0, errSize
	}
	if number == "" || strings.Trim(number, "0123456789.") != "" {
		return 0, errSize
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || v*scale >= 1<<62 {
		return 0, errSize
	}
	return int64(v * scale), nil
}
