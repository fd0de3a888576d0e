package api

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

const (
	// logLines is how many lines a Log keeps, and logBytes how many bytes they have at most.
	logLines = 1000
	logBytes = 1 << 20
	// lineBytes bounds the text of one line and each of its values.
	lineBytes = 2 << 10
	valuesMax = 32
)

// A Log keeps the last lines that are logged through its Handler. It is safe for concurrent
// use.
type Log struct {
	mu    sync.Mutex
	lines []Line // the oldest first
	bytes int
	seq   uint64 // of the last line; the first is 1
}

// Handler returns a handler that keeps what next is given, whatever next does with it. Lines
// below level are left to next.
func (l *Log) Handler(next slog.Handler, level slog.Leveler) slog.Handler {
	return &logHandler{log: l, next: next, level: level}
}

// A logHandler is one of Log.Handler, with the attributes that its logger adds.
type logHandler struct {
	log    *Log
	next   slog.Handler
	level  slog.Leveler
	attrs  []slog.Attr
	prefix string // of names: the groups
}

// Enabled reports whether a line of that level goes anywhere.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() || h.next.Enabled(ctx, level)
}

// Handle takes a line.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= h.level.Level() {
		h.log.add(h.line(&record))
	}
	if h.next.Enabled(ctx, record.Level) {
		return h.next.Handle(ctx, record)
	}
	return nil
}

// WithAttrs returns a handler that adds attributes.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	other := *h
	other.next = h.next.WithAttrs(attrs)
	other.attrs = append([]slog.Attr(nil), h.attrs...)
	for _, attr := range attrs {
		attr.Key = h.prefix + attr.Key
		other.attrs = append(other.attrs, attr)
	}
	return &other
}

// WithGroup returns a handler whose further names begin with that of a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	other := *h
	other.next = h.next.WithGroup(name)
	other.prefix = h.prefix + name + "."
	return &other
}

// line returns the line of a record.
func (h *logHandler) line(record *slog.Record) Line {
	line := Line{Time: record.Time.UTC(), Level: strings.ToLower(record.Level.String()),
		Text: short(record.Message)}
	add := func(name string, value slog.Value) {
		if len(line.Values) >= valuesMax || name == "" {
			return
		}
		if line.Values == nil {
			line.Values = make(map[string]string)
		}
		line.Values[short(name)] = short(value.Resolve().String())
	}
	for _, attr := range h.attrs {
		add(attr.Key, attr.Value)
	}
	record.Attrs(func(attr slog.Attr) bool {
		add(h.prefix+attr.Key, attr.Value)
		return true
	})
	return line
}

// short cuts off what is too long.
func short(s string) string {
	if len(s) > lineBytes {
		s = s[:lineBytes] + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

// size returns about how many bytes a line takes.
func (l *Line) size() int {
	n := 64 + len(l.Text)
	for name, value := range l.Values {
		n += 64 + len(name) + len(value)
	}
	return n
}

// add keeps a line.
func (l *Log) add(line Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	line.Seq = l.seq
	if line.Time.IsZero() {
		line.Time = time.Now().UTC()
	}
	l.lines = append(l.lines, line)
	l.bytes += line.size()
	out := 0
	for len(l.lines)-out > logLines || l.bytes > logBytes {
		l.bytes -= l.lines[out].size()
		out++
	}
	if out > 0 {
		l.lines = append(l.lines[:0], l.lines[out:]...)
	}
}

// After returns the lines after the one with that number, at most limit, the latest ones.
func (l *Log) After(seq uint64, limit int) LogPage {
	page := LogPage{Lines: []Line{}}
	if l == nil {
		return page
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	page.Next = l.seq
	for _, line := range l.lines {
		if line.Seq > seq || seq > l.seq { // a number of an earlier run
			page.Lines = append(page.Lines, line)
		}
	}
	page.Lines = page.Lines[max(0, len(page.Lines)-limit):]
	return page
}
