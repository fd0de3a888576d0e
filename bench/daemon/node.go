//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
)

const (
	httpAddr = "127.0.0.1:9080"
	rpcAddr  = "127.0.0.1:9091"
	// startTime and seedTime bound how long a daemon takes to answer, and until all torrents
	// seed.
	startTime = 2 * time.Minute
	seedTime  = 15 * time.Minute
	stuckTime = 30 * time.Second
	// stopTime is how long a daemon may take to end.
	stopTime  = time.Minute
	pollEvery = 250 * time.Millisecond
)

// errBusy says that the daemon had no memory for a request.
var errBusy = errors.New("503")

// A daemon is the one that is measured.
type daemon struct {
	name    string
	process interface {
		Usage() (proc.Usage, error)
		Signal(sig syscall.Signal) error
		Done() <-chan struct{}
		Stop()
	}
	log    func() string
	rpc    *rpcClient
	counts func(ctx context.Context, status string) (int, error)
	more   func(ctx context.Context) error // what only this daemon answers
	seeds  int                             // torrents that seed
	busy   atomic.Int64                    // requests that had no room in memory
}

// startNode starts the node with what the last run kept, and waits until it answers.
func (s *scene) startNode(ctx context.Context, dht bool) (*daemon, error) {
	if err := os.MkdirAll(s.watched(), 0o700); err != nil {
		return nil, err
	}
	args := []string{"daemon", "--listen", host.String() + ":6881", "--no-lsd", "--no-portmap",
		"--memory", s.cfg.memory, "--dir", s.content, "--watch", s.watched(),
		"--socket", filepath.Join(s.work, "ctl.sock"), "--http", httpAddr, "--rpc", rpcAddr}
	if dht {
		args = append(args, "--bootstrap", s.entry, "--dht-rate", fmt.Sprint(s.cfg.rate))
	} else {
		args = append(args, "--no-dht")
	}
	node, err := nodeproc.Start(s.cfg.node, filepath.Join(s.work, "state"), args...)
	if err != nil {
		return nil, err
	}
	d := &daemon{name: "node", process: node, log: node.Log, rpc: newRPC(rpcAddr)}
	d.counts = d.countByAPI
	d.more = d.askAPI
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if _, err := node.WaitEvent(ctx, "start"); err != nil {
		defer d.stop()
		return nil, d.explain(err)
	}
	return d, nil
}

// stop ends the daemon by a signal, and by force after stopTime.
func (d *daemon) stop() {
	if d.process.Signal(syscall.SIGTERM) == nil {
		select {
		case <-d.process.Done():
		case <-time.After(stopTime):
		}
	}
	d.process.Stop()
}

// explain adds the log of the daemon to an error.
func (d *daemon) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w\n%s", err, d.log())
}

// used describes what the daemon has used.
func (d *daemon) used() string {
	u, err := d.process.Usage()
	if err != nil {
		return "; " + err.Error()
	}
	return fmt.Sprintf("; %.1f CPU s, %d MiB anonymous, %d resident at most", u.CPU.Seconds(),
		u.Anon>>20, u.PeakRSS>>20)
}

// rest reports the processor time of the daemon while nobody asks it anything.
func (d *daemon) rest(ctx context.Context, watched time.Duration) error {
	const settle = 10 * time.Second
	if err := nodeproc.Pause(ctx, settle); err != nil {
		return err
	}
	used, err := d.share(ctx, func(ctx context.Context) error {
		return nodeproc.Pause(ctx, watched)
	})
	if err == nil {
		fmt.Printf("%s: at rest %.2f %% of a core%s\n", d.name, used, d.used())
	}
	return err
}

// share returns how much of a core, in percent, the daemon takes while f runs.
func (d *daemon) share(ctx context.Context, f func(context.Context) error) (float64, error) {
	before, err := d.process.Usage()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := f(ctx); err != nil {
		return 0, err
	}
	after, err := d.process.Usage()
	return 100 * (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds(), err
}

// count returns how many torrents have a status; "" is all.
func (d *daemon) count(ctx context.Context, status string) (int, error) {
	return d.counts(ctx, status)
}

// await waits until so many torrents have a status.
func (d *daemon) await(ctx context.Context, status string, torrents int) error {
	ctx, cancel := context.WithTimeout(ctx, seedTime)
	defer cancel()
	for {
		n, err := d.count(ctx, status)
		if err != nil || n == torrents {
			return err
		}
		if err := nodeproc.Pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("%d of %d torrents: %w", n, torrents, err)
		}
	}
}

// awaitSeeds waits until all torrents seed, or no more of them do for stuckTime: the memory
// limit may leave no room for the others.
func (d *daemon) awaitSeeds(ctx context.Context, torrents int) (seeds int, err error) {
	ctx, cancel := context.WithTimeout(ctx, seedTime)
	defer cancel()
	more := time.Now()
	for {
		n, err := d.count(ctx, "seeding")
		if err != nil || n == torrents {
			return n, err
		}
		if n > seeds {
			seeds, more = n, time.Now()
		}
		if seeds > 0 && time.Since(more) > stuckTime {
			return seeds, nil
		}
		if err := nodeproc.Pause(ctx, pollEvery); err != nil {
			return seeds, fmt.Errorf("%d of %d torrents seed: %w", seeds, torrents, err)
		}
	}
}

// countByAPI is count of the node.
func (d *daemon) countByAPI(ctx context.Context, status string) (int, error) {
	path := "/torrents?limit=1&fields=name"
	if status != "" {
		path += "&status=" + status
	}
	doc, err := d.api(ctx, http.DefaultClient, "GET", path, nil)
	if err != nil {
		return 0, err
	}
	var list struct{ Total int }
	err = json.Unmarshal(doc, &list)
	return list.Total, err
}

// api sends a request to the API of the node, and returns the body of the answer.
func (d *daemon) api(ctx context.Context, c *http.Client, method, path string,
	body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+httpAddr+"/api/v1"+path,
		bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	doc, err := io.ReadAll(answer.Body)
	if answer.StatusCode == http.StatusServiceUnavailable {
		return nil, errBusy
	}
	if err == nil && answer.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("%s %s: %s\n%s", method, path, answer.Status, doc)
	}
	return doc, err
}
