//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

const (
	// contentSize is that of each torrent, in bytes, and pieceLength that of its one piece.
	contentSize = 1 << 10
	pieceLength = 16 << 10
	// adders is how many clients add torrents at one time.
	adders = 8
	// busyPause is how long an adder waits after the daemon had no memory for a request.
	busyPause = time.Second
)

// makeTorrents writes the content of all torrents, and their .torrent files.
func (s *scene) makeTorrents() error {
	s.content = filepath.Join(s.work, "content")
	if err := os.Mkdir(s.content, 0o700); err != nil {
		return err
	}
	random := rand.NewChaCha8([32]byte{1})
	data := make([]byte, contentSize)
	for i := range s.cfg.torrents {
		path := filepath.Join(s.content, fmt.Sprintf("A file of usual length, number %06d", i))
		random.Read(data)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
		made, err := realclient.MakeTorrent(path, pieceLength, "")
		if err != nil {
			return err
		}
		s.docs = append(s.docs, made.File)
	}
	return nil
}

// each calls f for all torrents, as many at one time as there are adders, and returns the
// first error.
func (s *scene) each(f func(adder int, doc []byte) error) error {
	var next atomic.Int64
	var wait sync.WaitGroup
	errs := make(chan error, adders)
	for adder := range adders {
		wait.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= len(s.docs) {
					return
				}
				doc, err := os.ReadFile(s.docs[i])
				if err == nil {
					err = f(adder, doc)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	return <-errs
}

// addByAPI adds all torrents by POST /api/v1/torrents. Their content was just made, so it need
// not be hashed.
func (s *scene) addByAPI(ctx context.Context, d *daemon) error {
	clients := make([]http.Client, adders)
	return s.each(func(adder int, doc []byte) error {
		body, err := json.Marshal(map[string]any{"metainfo": doc, "dir": s.content,
			"complete": true})
		if err != nil {
			return err
		}
		for {
			_, err = d.api(ctx, &clients[adder], "POST", "/torrents", body)
			if !errors.Is(err, errBusy) {
				return err
			}
			d.busy.Add(1)
			if err := nodeproc.Pause(ctx, busyPause); err != nil {
				return err
			}
		}
	})
}

// addByFolder puts all .torrent files into the watched folder, and waits until they are added.
func (s *scene) addByFolder(ctx context.Context, d *daemon) error {
	if err := s.each(func(_ int, doc []byte) error {
		f, err := os.CreateTemp(s.watched(), "*.part")
		if err != nil {
			return err
		}
		if _, err := f.Write(doc); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
		return os.Rename(f.Name(), f.Name()+".torrent")
	}); err != nil {
		return err
	}
	return d.await(ctx, "", s.cfg.torrents)
}

// watched is the folder that the daemon watches.
func (s *scene) watched() string { return filepath.Join(s.work, "watched") }
