// Package metrics writes what a node does in the text format of Prometheus.
//
// Other commands than the daemon use its parts: Write, and the lists of metrics of a node, a
// DHT node and the process. A Handler answers requests with those of a daemon. A metric has
// labels of a few known values. Labels for each torrent are only there if they are asked for.
package metrics

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ContentType is that of what Write writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// A Metric is a number with its name and meaning.
type Metric struct {
	Name  string // that of a counter ends in _total
	Help  string
	Value uint64
	Label string // name="value", several with commas; may be empty
}

// Write writes metrics. Those with the same name follow each other, and the first has the Help.
func Write(w io.Writer, list []Metric) error {
	out := bufio.NewWriter(w)
	last := ""
	for i := range list {
		m := &list[i]
		if m.Name != last {
			kind := "gauge"
			if strings.HasSuffix(m.Name, "_total") {
				kind = "counter"
			}
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", m.Name, m.Help, m.Name, kind)
			last = m.Name
		}
		out.WriteString(m.Name)
		if m.Label != "" {
			out.WriteString("{" + m.Label + "}")
		}
		out.WriteString(" " + strconv.FormatUint(m.Value, 10) + "\n")
	}
	return out.Flush()
}

// Label returns a label with any value.
func Label(name, value string) string {
	value = strings.ToValidUTF8(value, "�")
	return name + `="` + escaper.Replace(value) + `"`
}

// escaper escapes a value as the format asks for.
var escaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// yes returns 1 for true.
func yes(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// whole returns a number that cannot be negative.
func whole[T int | int32 | int64 | float64](n T) uint64 { return uint64(max(n, 0)) }
