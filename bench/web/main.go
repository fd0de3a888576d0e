//go:build linux

// Command web measures the page over a "node daemon" that holds thousands of torrents, some of
// which change each second, in Debian's chromium: the time to the first row, scrolling, filters,
// memory after an hour of changes, the bytes of the feed, and a torrent of many files.
//
// Everything happens in a network namespace. playwright-core is taken from the folder of
// make test-fronts, which SWARM_FRONTS names.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/realclient"
)

type config struct {
	node     string
	script   string
	fronts   string
	torrents int
	changing int
	files    int
	hour     int
	profile  string
}

const (
	// httpAddr is where the daemon serves the page, in the namespace.
	httpAddr = "127.0.0.1:9080"
	// startTime bounds the start of the daemon, and pageTime what the browser does.
	startTime = 2 * time.Minute
	pageTime  = 30 * time.Minute
	stopTime  = time.Minute
	// adders is how many clients add torrents at one time.
	adders = 4
)

func main() {
	var cfg config
	flag.StringVar(&cfg.node, "node", "bin/node", "the node binary")
	flag.StringVar(&cfg.script, "script", "bench/web/page.mjs", "what the browser does")
	flag.StringVar(&cfg.fronts, "fronts", os.Getenv("SWARM_FRONTS"), "folder of make test-fronts")
	flag.IntVar(&cfg.torrents, "torrents", 10_000, "torrents to hold")
	flag.IntVar(&cfg.changing, "changing", 500, "torrents that change each second")
	flag.IntVar(&cfg.files, "files", 40_000, "files of the largest torrent")
	flag.IntVar(&cfg.hour, "hour", 3600, "seconds of changes that are simulated for the memory")
	flag.StringVar(&cfg.profile, "profile", "", "folder for processor profiles of the page")
	flag.Parse()
	realclient.Run("web", func(ctx context.Context) error { return measure(ctx, cfg) })
}

func measure(ctx context.Context, cfg config) error {
	if cfg.torrents <= 0 || cfg.changing <= 0 || cfg.changing > cfg.torrents || cfg.files <= 0 {
		return errors.New("numbers must be positive, and no more torrents change than there are")
	}
	if _, err := os.Stat(filepath.Join(cfg.fronts, "node_modules", "playwright-core")); err != nil {
		return fmt.Errorf("%w: run .ci/fronts FOLDER, and name it with -fronts", err)
	}
	work, err := os.MkdirTemp("", "web")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if cfg.node, err = filepath.Abs(cfg.node); err != nil {
		return err
	}
	node, err := nodeproc.Start(cfg.node, filepath.Join(work, "state"), "daemon",
		"--config", "none", "--listen", "127.0.0.1:0", "--no-dht", "--no-lsd", "--no-portmap",
		"--dir", filepath.Join(work, "content"), "--socket", filepath.Join(work, "ctl"),
		"--http", httpAddr)
	if err != nil {
		return err
	}
	defer node.Stop()
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if _, err := node.WaitEvent(starting, "start"); err != nil {
		return fmt.Errorf("%w\n%s", err, node.Log())
	}
	m := &measurement{cfg: cfg, work: work}
	if err := m.addAll(ctx); err != nil {
		return fmt.Errorf("%w\n%s", err, node.Log())
	}
	return m.measurePage(ctx)
}

// A measurement is one run.
type measurement struct {
	cfg  config
	work string
	many int // the torrent of many files
}

// addAll adds all torrents, stopped. Their content does not exist.
func (m *measurement) addAll(ctx context.Context) error {
	var wait sync.WaitGroup
	errs := make(chan error, adders)
	for adder := range adders {
		wait.Go(func() {
			for i := adder; i < m.cfg.torrents-1; i += adders {
				if _, err := m.add(ctx, smallTorrent(i), i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wait.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return err
	}
	var err error
	m.many, err = m.add(ctx, torrentOfFiles(m.cfg.files), m.cfg.torrents-1)
	return err
}

// add adds one torrent and returns its number.
func (m *measurement) add(ctx context.Context, doc []byte, i int) (id int, err error) {
	var added struct{ ID int }
	err = m.ask(ctx, "POST", "/torrents", map[string]any{"metainfo": doc, "stopped": true,
		"options": map[string]any{"labels": labelsOf(i, 0)}}, &added)
	return added.ID, err
}

// ask sends a request to the API.
func (m *measurement) ask(ctx context.Context, method, path string, body, result any) error {
	doc, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+httpAddr+"/api/v1"+path,
		bytes.NewReader(doc))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, path, answer.Status, text)
	case result == nil:
		return nil
	}
	return json.Unmarshal(text, result)
}

// measurePage lets the browser measure while torrents change.
func (m *measurement) measurePage(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	changing, end := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- m.change(changing) }()
	cmd := exec.CommandContext(ctx, "nodejs", m.cfg.script, "http://"+httpAddr,
		fmt.Sprint(m.many), fmt.Sprint(m.cfg.torrents), fmt.Sprint(m.cfg.changing),
		fmt.Sprint(m.cfg.hour), m.cfg.profile)
	cmd.Env = append(os.Environ(), "SWARM_FRONTS="+m.cfg.fronts, "HOME="+m.work)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.WaitDelay = stopTime
	err := cmd.Run()
	end()
	return errors.Join(err, <-done)
}

// change changes some torrents each second, different ones from second to second, until ctx ends.
func (m *measurement) change(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for round := 1; ; round++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		ids := make([]int, m.cfg.changing)
		for i := range ids {
			ids[i] = 1 + (round*m.cfg.changing/2+i)%m.cfg.torrents
		}
		err := m.ask(ctx, "POST", "/torrents/bulk", map[string]any{"ids": ids, "action": "set",
			"patch": map[string]any{"labels": labelsOf(round, round)}}, nil)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("changing torrents: %w", err)
		}
	}
}
