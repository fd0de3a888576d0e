package hashes

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// play carries out a script, a line at a time: "time command arguments -> result". An empty
// line and one that begins with # say nothing. do returns the result of a command.
func play(t *testing.T, script string, do func(now time.Duration, command string,
	args []string) string) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(script), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		call, want, _ := strings.Cut(line, "->")
		words := strings.Fields(call)
		now, err := time.ParseDuration(words[0])
		if err != nil {
			t.Fatalf("line %d: %v", i+1, err)
		}
		got := strings.TrimSpace(do(now, words[1], words[2:]))
		if want = strings.TrimSpace(want); got != want {
			t.Fatalf("line %d: %s: got %q, want %q", i+1, strings.TrimSpace(call), got, want)
		}
	}
}

// number reads a decimal number of a script.
func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

// list writes values in a row.
func list[T any](name string, values []T) string {
	if len(values) == 0 {
		return ""
	}
	words := strings.Fields(fmt.Sprint(values))
	return name + " " + strings.Trim(strings.Join(words, ","), "[]") + " "
}

// due writes a time of a result.
func due(at time.Duration) string {
	if at == Never {
		return "again never"
	}
	return "again " + at.String()
}
