package swarm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// dumpPatience is how long WriteEvents waits for a torrent. A loop that does not answer by
// then hangs, and others have something to say.
const dumpPatience = time.Second

// ErrHangs says that the loop of a torrent did not answer in time, which is a defect of this
// program.
var ErrHangs = errors.New("torrent does not answer")

// WriteEvents writes a dump of the torrent to w, for a report of a defect: its settings and
// its last events, up to some ten thousand. "node sim --replay" replays them. It tells
// nothing of files, and numbers in place of addresses; see core.Torrent.WriteEvents. The
// error is that of w, or ErrHangs. It works after the end of the torrent, too.
func (t *Torrent) WriteEvents(w io.Writer) error {
	text, err := t.events()
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// events returns the dump of the torrent.
func (t *Torrent) events() ([]byte, error) {
	reply := make(chan []byte, 1)
	dump := func(time.Time) {
		var b bytes.Buffer
		t.loop.core.WriteEvents(&b) // a buffer takes everything
		reply <- b.Bytes()
	}
	patience := time.NewTimer(dumpPatience)
	defer patience.Stop()
	select {
	case t.asks <- dump:
	case <-t.ended:
		dump(time.Time{}) // nobody else uses the core any more
	case <-patience.C:
		return nil, ErrHangs
	}
	select {
	case text := <-reply:
		return text, nil
	case <-patience.C:
		return nil, ErrHangs
	}
}

// WriteEvents writes the dumps of all torrents to w, one after the other. A torrent that
// hangs has a line that says so instead.
func (e *Engine) WriteEvents(w io.Writer) error {
	torrents := e.Torrents()
	slices.SortFunc(torrents, func(a, b *Torrent) int {
		return bytes.Compare(a.hash[:], b.hash[:])
	})
	for _, t := range torrents {
		err := t.WriteEvents(w)
		if errors.Is(err, ErrHangs) {
			_, err = fmt.Fprintf(w, "# %v: %v\n", t.hash.Short(), err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
