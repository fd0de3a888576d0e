package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"swarmnode/daemon"
)

const (
	// feedsMax bounds the feeds that are open.
	feedsMax = 32
	// feedsRetry is after how many seconds somebody for whom there is no feed may try again.
	feedsRetry = 5
	// feedEvery is the least time between two batches of a feed: what changes several times is
	// told once.
	feedEvery = time.Second
	// heartbeat is the time without anything to tell after which a comment is sent.
	heartbeat = 15 * time.Second
	// feedPatience is how long a reader may take for what is sent at one time. A slower one
	// is cut off, and comes back for what it has missed.
	feedPatience = 10 * time.Second
	// retryAfter is when a browser comes back, in milliseconds.
	retryAfter = 2000
)

// feedType is the content type of a feed.
const feedType = "text/event-stream"

// A stream writes events. Its handler owns it.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buf     []byte
	pack    *gzip.Writer // nil for a reader that takes no gzip
	// patience is how long the reader may take for what is sent at one time.
	patience time.Duration
}

// events tells what changes until the reader goes.
func (c *call) events() error {
	p, err := planOf(c.query("fields"))
	if err != nil {
		return err
	}
	stats, err := c.yes("stats")
	if err != nil {
		return err
	}
	delta, err := c.yes("delta")
	if err != nil {
		return err
	}
	since, err := c.since()
	if err != nil {
		return err
	}
	if c.api.feeds.Add(1) > feedsMax {
		c.api.feeds.Add(-1)
		c.w.Header().Set("Retry-After", strconv.Itoa(feedsRetry))
		return problemf(http.StatusServiceUnavailable, "there are %d feeds, which is the most",
			feedsMax)
	}
	defer c.api.feeds.Add(-1)
	if c.r.Method == http.MethodHead {
		c.w.Header().Set("Content-Type", feedType)
		return nil // a feed without a body would go on without anybody
	}
	s := &stream{w: c.w, control: http.NewResponseController(c.w), patience: c.api.patience}
	header := c.w.Header()
	header.Set("Content-Type", feedType)
	header.Set("Cache-Control", "no-store")
	header.Set("X-Accel-Buffering", "no") // nginx would hold events back
	header.Set("Vary", "Accept-Encoding")
	if s.pack = c.packer(); s.pack != nil {
		header.Set("Content-Encoding", "gzip")
		s.pack.Reset(c.w)
		defer c.api.packers.put(s.pack)
		defer s.end()
	}
	s.buf = append(s.buf, "retry: "+strconv.Itoa(retryAfter)+"\n\n"...)
	if err := s.send(); err != nil {
		return nil
	}
	f := follower{call: c, stream: s, plan: p, changes: c.api.daemon.Subscribe(since)}
	if stats {
		f.stats = []byte{}
	}
	if delta {
		f.deltas = newDeltas(p, &c.api.told)
		defer f.deltas.forget()
	}
	f.run(c.r.Context())
	return nil
}

// since returns from which moment on a feed tells.
func (c *call) since() (uint64, error) {
	text := c.r.Header.Get("Last-Event-ID")
	if text == "" {
		text = c.query("since")
	}
	if text == "" {
		return 0, nil
	}
	since, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, wrong("since", "since: want the seq of an earlier answer")
	}
	return since, nil
}

// A follower is one feed.
type follower struct {
	call    *call
	stream  *stream
	plan    plan
	changes *daemon.Subscription
	deltas  *deltas // nil if torrents are told as a whole
	stats   []byte  // as told last; nil if they are not to be told
}

// run tells what changes until ctx ends, the reader is gone, or may no longer ask.
func (f *follower) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	quiet := time.Now()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
		pause.Reset(f.call.api.every)
		patience := f.call.api.heartbeat
		if f.stats != nil {
			patience = f.call.api.every // stats change without the feed
		}
		wait, cancel := context.WithTimeout(ctx, patience)
		changes, err := f.changes.Next(wait)
		cancel()
		switch {
		case !f.call.api.cfg.Gate.Still(f.call.who):
			return // the token was removed, or its time is over
		case err == nil:
			err = f.tell(&changes)
		case ctx.Err() != nil, errors.Is(err, daemon.ErrClosed):
			return
		default:
			err = nil
		}
		if err == nil {
			err = f.tellStats()
		}
		if err == nil && len(f.stream.buf) == 0 && time.Since(quiet) >= f.call.api.heartbeat {
			f.stream.buf = append(f.stream.buf, ":\n\n"...)
		}
		if len(f.stream.buf) > 0 && err == nil {
			quiet = time.Now()
			err = f.stream.send()
		}
		if err != nil {
			return
		}
	}
}

// tell writes a batch: what changed, and then the moment of it, by which the reader goes on
// after a break.
func (f *follower) tell(changes *daemon.Changes) error {
	s := f.stream
	if changes.Reset {
		if f.deltas != nil {
			f.deltas.reset()
		}
		s.event(EventReset, func(b []byte) []byte {
			b = append(b, `{"torrents":`...)
			return append(strconv.AppendInt(b, int64(len(changes.Torrents)), 10), '}')
		})
	}
	for _, id := range changes.Removed {
		if f.deltas != nil {
			f.deltas.remove(id)
		}
		s.event(EventRemoved, func(b []byte) []byte {
			b = append(b, `{"id":`...)
			return append(strconv.AppendInt(b, int64(id), 10), '}')
		})
	}
	tell := f.tellWhole
	if f.deltas != nil {
		tell = f.tellRows
	}
	if err := tell(changes.Torrents); err != nil {
		return err
	}
	if changes.Settings {
		s.event(EventSettings, func(b []byte) []byte { return append(b, "{}"...) })
	}
	s.buf = append(s.buf, "id: "...)
	s.buf = strconv.AppendUint(s.buf, changes.Seq, 10)
	s.buf = append(s.buf, "\n\n"...)
	return nil
}

// tellWhole writes an event for each torrent, with all fields.
func (f *follower) tellWhole(torrents []daemon.Change) error {
	for _, change := range torrents {
		v := viewOf(change.Torrent)
		f.stream.event(EventTorrent, func(b []byte) []byte { return f.plan.append(b, &v) })
		if len(f.stream.buf) >= chunkBytes {
			if err := f.stream.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tellRows writes what changed of torrents, as many in an event as make a chunk.
func (f *follower) tellRows(torrents []daemon.Change) error {
	s := f.stream
	const head = "event: " + EventRows + "\ndata: ["
	begin := -1
	for _, change := range torrents {
		if begin < 0 {
			begin = len(s.buf)
			s.buf = append(s.buf, head...)
		}
		v := viewOf(change.Torrent)
		s.buf = f.deltas.append(s.buf, &v)
		if len(s.buf) < chunkBytes {
			continue
		}
		s.endRows()
		if err := s.send(); err != nil {
			return err
		}
		begin = -1 // send empties the buffer
	}
	if begin >= 0 && len(s.buf) == begin+len(head) {
		s.buf = s.buf[:begin] // nothing that was asked for
	} else if begin >= 0 {
		s.endRows()
	}
	return nil
}

// endRows ends an event of rows, each of which ends with a comma.
func (s *stream) endRows() {
	s.buf = append(s.buf[:len(s.buf)-1], "]\n\n"...)
}

// tellStats writes the stats if they have changed.
func (f *follower) tellStats() error {
	if f.stats == nil {
		return nil
	}
	stats := f.call.api.stats()
	doc, err := json.Marshal(stats)
	if err != nil {
		return err
	}
	stats.AllActive = 0 // changes all the time
	compared, err := json.Marshal(stats)
	if err != nil || bytes.Equal(compared, f.stats) {
		return err
	}
	f.stats = compared
	f.stream.event(EventStats, func(b []byte) []byte { return append(b, doc...) })
	return nil
}

// event writes an event, whose data has no line feeds.
func (s *stream) event(name string, data func([]byte) []byte) {
	s.buf = append(s.buf, "event: "...)
	s.buf = append(s.buf, name...)
	s.buf = append(s.buf, "\ndata: "...)
	s.buf = data(s.buf)
	s.buf = append(s.buf, "\n\n"...)
}

// send sends what was written. A reader that does not take it in time is cut off.
func (s *stream) send() error {
	err := s.control.SetWriteDeadline(time.Now().Add(s.patience))
	if err == nil {
		err = s.write()
	}
	if err == nil {
		err = s.control.Flush()
	}
	s.buf = s.buf[:0]
	return err
}

// write writes what was collected, packed if the reader takes that.
func (s *stream) write() error {
	if s.pack == nil {
		_, err := s.w.Write(s.buf)
		return err
	}
	if _, err := s.pack.Write(s.buf); err != nil {
		return err
	}
	return s.pack.Flush()
}

// end ends what is packed.
func (s *stream) end() {
	if s.control.SetWriteDeadline(time.Now().Add(s.patience)) == nil {
		_ = s.pack.Close() // the reader may have gone
	}
}
