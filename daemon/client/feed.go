package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/api"
)

const (
	// eventMax bounds one event, in bytes.
	eventMax = 4 << 20
	// lineMax bounds the lines that are read of an event at one time.
	lineMax = 64 << 10
	// silenceMax is how long nothing may come, though the daemon sends something more often,
	// until the connection counts as broken.
	silenceMax = 60 * time.Second
)

// An Event is what the feed of a daemon tells.
type Event struct {
	// Kind is one of api.EventReset and the others; or another one, of a newer daemon.
	Kind string
	// Seq is the moment of the last event that had one; 0 if none had.
	Seq uint64

	Reset   api.Reset   // of api.EventReset
	Torrent api.Torrent // of api.EventTorrent
	Removed daemon.ID   // of api.EventRemoved
	Stats   api.Stats   // of api.EventStats
}

// parse reads the data of an event.
func (e *Event) parse(data []byte) (err error) {
	switch e.Kind {
	case api.EventReset:
		err = json.Unmarshal(data, &e.Reset)
	case api.EventTorrent:
		err = json.Unmarshal(data, &e.Torrent)
	case api.EventRemoved:
		var gone api.Gone
		err = json.Unmarshal(data, &gone)
		e.Removed = gone.ID
	case api.EventStats:
		err = json.Unmarshal(data, &e.Stats)
	}
	return err
}

// A Feed reads what changes in a daemon. It begins with an api.EventReset and all torrents, unless
// it goes on where an earlier one was. One goroutine at a time may use it. Close ends it.
type Feed struct {
	client *Client
	last   string // id of the last event
	cancel context.CancelCauseFunc
	answer io.ReadCloser // nil while there is no connection
	body   *bufio.Reader
}

// Feed returns a Feed that begins after the moment from, the Seq of an Event or a List; 0 for all
// torrents. It connects with the first Next.
func (c *Client) Feed(from uint64) *Feed {
	f := &Feed{client: c}
	if from > 0 {
		f.last = strconv.FormatUint(from, 10)
	}
	return f
}

// errSilent says that nothing has come for silenceMax.
var errSilent = errors.New("the daemon is silent")

// errLongEvent says that an event is longer than eventMax.
var errLongEvent = errors.New("an event is too long")

// Next waits for an event. After an error, the next call connects again, and goes on after the
// last event.
func (f *Feed) Next(ctx context.Context) (Event, error) {
	if f.answer == nil {
		if err := f.connect(ctx); err != nil {
			return Event{}, err
		}
	}
	quit := context.AfterFunc(ctx, func() { f.cancel(context.Cause(ctx)) })
	defer quit()
	for {
		silent := time.AfterFunc(silenceMax, func() { f.cancel(errSilent) })
		kind, id, data, err := readEvent(f.body)
		silent.Stop()
		if err != nil {
			f.Close()
			if ctx.Err() != nil {
				return Event{}, context.Cause(ctx)
			}
			return Event{}, &UnreachableError{f.client.where, feedError(err)}
		}
		if id != "" {
			f.last = id
		}
		if len(data) == 0 { // a heartbeat
			continue
		}
		event := Event{Kind: kind}
		event.Seq, _ = strconv.ParseUint(f.last, 10, 64)
		if err := event.parse(data); err != nil {
			f.Close()
			return Event{}, &UnreachableError{f.client.where, errStrange}
		}
		return event, nil
	}
}

// feedError returns the error of a feed that has ended.
func feedError(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the daemon has ended the feed")
	case errors.Is(err, context.Canceled):
		return errSilent
	}
	return err
}

// connect asks for the feed.
func (f *Feed) connect(ctx context.Context) error {
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.last != "" {
		header.Set("Last-Event-ID", f.last)
	}
	// The answer outlives the context of this call.
	life, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	quit := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer quit()
	answer, err := f.client.send(life, request{method: http.MethodGet, path: "/events",
		header: header})
	if err != nil {
		cancel(nil)
		return err
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if kind != "text/event-stream" {
		answer.Body.Close()
		cancel(nil)
		return &UnreachableError{f.client.where, fmt.Errorf("%w: %q", errStrange, kind)}
	}
	f.answer, f.cancel = answer.Body, cancel
	f.body = bufio.NewReaderSize(answer.Body, lineMax)
	return nil
}

// Close ends the connection. A later Next makes another one.
func (f *Feed) Close() {
	if f.answer == nil {
		return
	}
	f.cancel(nil)
	f.answer.Close()
	f.answer, f.body = nil, nil
}

// readEvent reads one event of a stream (HTML, "Server-sent events"): lines of fields up to an
// empty one. A comment alone is an event without data.
func readEvent(r *bufio.Reader) (kind, id string, data []byte, err error) {
	kind = "message"
	total := 0
	for {
		line, err := readLine(r, eventMax-total)
		if err != nil {
			return "", "", nil, err
		}
		total += len(line)
		if len(line) == 0 {
			return kind, id, bytes.TrimSuffix(data, []byte("\n")), nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			kind = string(value)
		case "id":
			if !strings.Contains(string(value), "\x00") {
				id = string(value)
			}
		case "data":
			data = append(append(data, value...), '\n')
		}
	}
}

// readLine reads a line of at most most bytes, without its end.
func readLine(r *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, errLongEvent
		}
		line = append(line, part...)
		switch {
		case err == nil:
			return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
