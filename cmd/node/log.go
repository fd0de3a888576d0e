package main

import (
	"context"
	"log/slog"
	"strings"
)

// newLogger makes the logger that the library packages are handed. At verbose
// 0 only warnings pass, and look like the console's own; 1 adds the changes of
// state, 2 what peers do.
func newLogger(c *console, verbose int, format string) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case verbose >= 2:
		level = slog.LevelDebug
	case verbose == 1:
		level = slog.LevelInfo
	case c.quiet:
		level = slog.LevelError + 1 // what fails is printed by the command itself
	}
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(c, options))
	}
	return slog.New(&textHandler{c: c, text: slog.NewTextHandler(c, options), level: level})
}

// textHandler passes lines to slog's text handler, except for warnings: those
// are for everybody, so they look like the other lines of the command, and
// become events of --json.
type textHandler struct {
	c     *console
	text  slog.Handler
	level slog.Level
	attrs []slog.Attr
}

func (h *textHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *textHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.text.Handle(ctx, r)
	}
	var b strings.Builder
	b.WriteString(r.Message)
	write := func(a slog.Attr) bool {
		b.WriteString(" " + a.Key + "=" + a.Value.String())
		return true
	}
	for _, a := range h.attrs {
		write(a)
	}
	r.Attrs(write)
	h.c.warn("%s", b.String())
	return nil
}

func (h *textHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	both := append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)
	return &textHandler{h.c, h.text.WithAttrs(attrs), h.level, both}
}

func (h *textHandler) WithGroup(name string) slog.Handler {
	return &textHandler{h.c, h.text.WithGroup(name), h.level, h.attrs}
}
