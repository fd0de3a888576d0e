package main

import (
	"iter"

	"github.com/spf13/pflag"
)

// The origins of a flag's value, besides a line of a file and a variable.
const (
	originDefault = "default"
	originFlag    = "flag"
	originRunning = "changed while running"
)

// originKey is the annotation of a flag that has its origin.
const originKey = "origin"

// setOrigin records where the value of a flag is from.
func setOrigin(f *pflag.Flag, origin string) {
	if f.Annotations == nil {
		f.Annotations = make(map[string][]string)
	}
	f.Annotations[originKey] = []string{origin}
}

// originOf returns where the value of a flag is from.
func originOf(f *pflag.Flag) string {
	if list := f.Annotations[originKey]; len(list) > 0 {
		return list[0]
	}
	if f.Changed {
		return originFlag
	}
	return originDefault
}

// envOrigin is the origin of a value from the environment.
func envOrigin(variable string) string { return "environment " + variable }

// isPinned reports whether the value of a flag is from the command line or the environment.
func isPinned(f *pflag.Flag) bool {
	origin := originOf(f)
	return origin == originFlag || origin == envOrigin(envName(f.Name))
}

// closest returns the word that a wrong one may stand for, or "".
func closest(wrong string, words iter.Seq[string]) string {
	best, least := "", closeMax+1
	for w := range words {
		if d := editDistance(wrong, w); d < least || d == least && w < best {
			best, least = w, d
		}
	}
	return best
}

const (
	// closeMax is how many letters of a word may be wrong for a suggestion.
	closeMax = 2
	// wordMax bounds the words that are compared, in bytes.
	wordMax = 40
)

// editDistance returns how many letters have to be added, removed or exchanged to make b of a. The
// hyphen and the underscore count as one letter.
func editDistance(a, b string) int {
	if len(a) > wordMax || len(b) > wordMax {
		return wordMax
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] && !(a[i] == '_' && b[j] == '-') {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
