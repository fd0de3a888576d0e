package main

import (
	"context"
	"log/slog"
	"strings"

	"swarmnode/daemon/stuck"
)

// newLogger returns the logger for the library packages. At verbose 0 only warnings pass,
// and look like the console's own; the command itself reports once what ends a torrent. 1
// adds changes of state, 2 what peers do.
func newLogger(c *console, verbose int, format string) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case verbose >= 2:
		level = slog.LevelDebug
	case verbose == 1:
		level = slog.LevelInfo
	case c.quiet:
		level = slog.LevelError + 1 // the command itself prints failures
	}
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(jsonWriter{c}, options))
	}
	return slog.New(&textHandler{c: c, text: slog.NewTextHandler(c, options), level: level,
		verbose: verbose > 0})
}

// resolverLogger returns the logger for a DHT node. The command reports which of the
// hosts that the user named have no address, and the node reports the rest.
func resolverLogger(c *console, named bool) *slog.Logger {
	if named && !c.log.Enabled(context.Background(), slog.LevelInfo) {
		return slog.New(slog.DiscardHandler)
	}
	return c.log
}

// textHandler passes lines to slog's text handler. Warnings are for everybody, so they
// look like the other lines of the command and become events of --json.
type textHandler struct {
	c       *console
	text    slog.Handler
	level   slog.Level
	verbose bool
	attrs   []slog.Attr
}

func (h *textHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *textHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level != slog.LevelWarn {
		if !h.verbose {
			return nil
		}
		return h.text.Handle(ctx, r)
	}
	var b strings.Builder
	b.WriteString(r.Message)
	why := ""
	write := func(a slog.Attr) bool {
		if err, ok := a.Value.Any().(error); ok && a.Key == "err" {
			why = ": " + stuck.Line(err)
		} else {
			b.WriteString(" " + a.Key + "=" + stuck.OneLine(a.Value.String()))
		}
		return true
	}
	for _, a := range h.attrs {
		write(a)
	}
	r.Attrs(write)
	h.c.warn("%s%s", b.String(), why)
	return nil
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	both := append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return &textHandler{h.c, h.text.WithAttrs(attrs), h.level, h.verbose, both}
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	return &textHandler{h.c, h.text.WithGroup(name), h.level, h.verbose, h.attrs}
}
