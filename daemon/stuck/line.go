package stuck

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// lineMax is how many bytes of an error a line shows.
const lineMax = 200

// Line returns an error on one line of a bounded length: of joined errors, the first one and how
// many follow; for a name that was looked up, why it has no address.
func Line(err error) string {
	text := err.Error()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if all := joined.Unwrap(); len(all) > 0 {
			text = Line(all[0])
			if len(all) > 1 {
				text += fmt.Sprintf(", and %d more", len(all)-1)
			}
			return text
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		text = strings.Replace(text, dns.Error(), dns.Err, 1)
	}
	return OneLine(text)
}

// OneLine shortens s, whose lines may be several joined errors, to one line.
func OneLine(s string) string {
	first, rest, more := strings.Cut(s, "\n")
	if len(first) > lineMax {
		first = strings.ToValidUTF8(first[:lineMax], "") + "…"
	}
	if more {
		first += fmt.Sprintf(", and %d more", 1+strings.Count(rest, "\n"))
	}
	return first
}

// plural writes a number of things.
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}

// is returns the verb for a number of things.
func is(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// sentence makes a sentence of some words.
func sentence(words string) string {
	if words == "" {
		return ""
	}
	if c := words[0]; 'a' <= c && c <= 'z' {
		words = string(c-'a'+'A') + words[1:]
	}
	return words + "."
}

// rateText writes a rate in bytes per second.
func rateText(rate int64) string {
	if rate < 1<<10 {
		return fmt.Sprintf("%d B/s", rate)
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(rate)/(1<<10), 'f', 1, 64), ".0") +
		" KiB/s"
}
