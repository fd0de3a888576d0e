package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// compactBytes writes n as parseBytes reads it: "16K", "1M", "1000".
func compactBytes(n int64) string {
	unit := ""
	for i := 0; i < len(unitNames) && n != 0 && n%1024 == 0; i++ {
		n, unit = n/1024, unitNames[i:i+1]
	}
	return strconv.FormatInt(n, 10) + unit
}

// A rateValue is a flag of a rate in bytes per second; 0 means no limit.
type rateValue int64

func (v *rateValue) Type() string   { return "RATE" }
func (v *rateValue) String() string { return compactBytes(int64(*v)) }
func (v *rateValue) Set(s string) error {
	n, err := parseBytes(strings.TrimSuffix(strings.TrimSpace(s), "/s"))
	if err != nil {
		return errors.New("not a rate such as 500k or 1.5M, in bytes per second")
	}
	*v = rateValue(n)
	return nil
}

// pieceLengthMin is the least that every client takes: one block.
const pieceLengthMin = 16 << 10

// pieceLengthMax is the largest piece that other clients are known to take.
const pieceLengthMax = 256 << 20

// A pieceValue is a flag of a piece length; 0 means chosen by size.
type pieceValue int64

func (v *pieceValue) Type() string   { return "SIZE" }
func (v *pieceValue) String() string { return compactBytes(int64(*v)) }
func (v *pieceValue) Set(s string) error {
	n, err := parseBytes(s)
	if err != nil || n < pieceLengthMin || n > pieceLengthMax || n&(n-1) != 0 {
		return errors.New("not a power of two from 16K to 256M")
	}
	*v = pieceValue(n)
	return nil
}

// A nameValue is a flag of the name of a file, without a folder.
type nameValue string

func (v *nameValue) Type() string   { return "NAME" }
func (v *nameValue) String() string { return string(*v) }
func (v *nameValue) Set(s string) error {
	if s != filepath.Base(s) || !filepath.IsLocal(s) || s == "." ||
		strings.ContainsFunc(s, unsafeRune) {
		return errors.New("not the name of a file or folder")
	}
	*v = nameValue(s)
	return nil
}

// A textValue is a flag of text for people. Empty text is a value, too, if it was given.
type textValue struct {
	text  string
	given bool
}

func (v *textValue) Type() string   { return "TEXT" }
func (v *textValue) String() string { return v.text }
func (v *textValue) Set(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("not UTF-8")
	}
	*v = textValue{s, true}
	return nil
}

// setIn sets a text to the given one, if there is one.
func (v *textValue) setIn(text *string) {
	if v.given {
		*text = v.text
	}
}

// A filledValue is a flag of text that is not empty. An empty one is refused rather than taken
// for a flag that was not given, because it may stand for a variable of the shell that
// somebody forgot to set.
type filledValue string

func (v *filledValue) Type() string   { return "string" }
func (v *filledValue) String() string { return string(*v) }
func (v *filledValue) Set(s string) error {
	if s == "" {
		return errors.New("empty")
	}
	*v = filledValue(s)
	return nil
}

// A timeValue is a flag of a duration: "90s", "5m", "1h30m", or seconds.
type timeValue time.Duration

func (v *timeValue) Type() string { return "TIME" }
func (v *timeValue) String() string {
	if *v == 0 {
		return "0"
	}
	return time.Duration(*v).String()
}
func (v *timeValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if seconds, e := strconv.ParseUint(s, 10, 31); e == nil {
		d, err = time.Duration(seconds)*time.Second, nil
	}
	if err != nil || d < 0 {
		return errors.New("not a time such as 90s, 5m or 1h30m")
	}
	*v = timeValue(d)
	return nil
}

// A portValue is a flag of a port. Set reports whether it was given.
type portValue struct {
	port  uint16
	given bool
}

func (v *portValue) Type() string   { return "N" }
func (v *portValue) String() string { return strconv.Itoa(int(v.port)) }
func (v *portValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil {
		return errors.New("not a port, 0 to 65535")
	}
	*v = portValue{uint16(n), true}
	return nil
}

// A countValue is a flag of a number from 1 on.
type countValue int

func (v *countValue) Type() string   { return "N" }
func (v *countValue) String() string { return strconv.Itoa(int(*v)) }
func (v *countValue) Set(s string) error {
	n, err := strconv.ParseUint(s, 10, 20)
	if err != nil || n == 0 {
		return errors.New("not a number from 1 to 1048575")
	}
	*v = countValue(n)
	return nil
}

// listValue is a flag that may be repeated. Each value is checked as it is given; in the
// environment, commas separate them.
type listValue struct {
	kind  string
	check func(string) error // may be nil
	items []string
}

// listMax bounds how often a flag can be repeated, because every entry may cost a name
// lookup.
const listMax = 1000

func (v *listValue) Type() string   { return v.kind }
func (v *listValue) String() string { return strings.Join(v.items, ",") }
func (v *listValue) Set(s string) error {
	if v.check != nil {
		if err := v.check(s); err != nil {
			return err
		}
	}
	if len(v.items) == listMax {
		return fmt.Errorf("given more than %d times", listMax)
	}
	v.items = append(v.items, s)
	return nil
}

// A choiceValue is a flag that is one of a few words.
type choiceValue struct {
	word    string
	choices []string
}

func (v *choiceValue) Type() string   { return strings.Join(v.choices, "|") }
func (v *choiceValue) String() string { return v.word }
func (v *choiceValue) Set(s string) error {
	for _, c := range v.choices {
		if s == c {
			v.word = s
			return nil
		}
	}
	return fmt.Errorf("not one of %s", strings.Join(v.choices, ", "))
}
