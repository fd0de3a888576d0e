//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"swarmnode/bench/figures"
)

const (
	// rounds is how often each question is asked.
	rounds = 20
	// pollers is how many front ends poll, each once in pollTime, for pollFor.
	pollers  = 20
	pollTime = time.Second
	pollFor  = 20 * time.Second
)

// usualFields are those that a front end shows in its list.
var usualFields = []string{"id", "hashString", "name", "status", "error", "errorString", "eta",
	"isFinished", "leftUntilDone", "percentDone", "peersGettingFromUs", "peersSendingToUs",
	"rateDownload", "rateUpload", "sizeWhenDone", "uploadRatio"}

// sessionHeader must be sent back: the first answer is 409 and carries it.
const sessionHeader = "X-Transmission-Session-Id"

// An rpcClient is a front end of Transmission. One goroutine at a time uses it.
type rpcClient struct {
	url     string
	http    http.Client
	session string
}

func newRPC(addr string) *rpcClient {
	return &rpcClient{url: "http://" + addr + "/transmission/rpc",
		http: http.Client{Transport: &http.Transport{}}}
}

// request returns a request as front ends send it.
func request(method string, arguments map[string]any) []byte {
	doc, err := json.Marshal(map[string]any{"method": method, "arguments": arguments})
	if err != nil {
		panic(err) // the arguments are ours
	}
	return doc
}

// all and recent ask for the usual fields of all torrents, and of those that changed.
var (
	all    = request("torrent-get", map[string]any{"fields": usualFields})
	recent = request("torrent-get", map[string]any{"fields": usualFields,
		"ids": "recently-active"})
)

// call sends a request and returns the body of the answer.
func (c *rpcClient) call(ctx context.Context, body []byte) ([]byte, error) {
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set(sessionHeader, c.session)
		answer, err := c.http.Do(r)
		if err != nil {
			return nil, err
		}
		doc, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		session := answer.Header.Get(sessionHeader)
		switch {
		case err != nil:
			return nil, err
		case answer.StatusCode == http.StatusConflict && session != c.session:
			c.session = session
		case answer.StatusCode != http.StatusOK:
			return nil, fmt.Errorf("the RPC answers %s\n%s", answer.Status, doc)
		default:
			return doc, nil
		}
	}
}

// askAll asks what front ends ask, and reports how long the answers take.
func (d *daemon) askAll(ctx context.Context) error {
	for _, q := range []struct {
		what string
		body []byte
	}{
		{"torrent-get of all", all}, {"torrent-get of recently-active", recent},
	} {
		if err := d.ask(q.what, func() ([]byte, error) {
			return d.rpc.call(ctx, q.body)
		}); err != nil {
			return err
		}
	}
	if err := d.more(ctx); err != nil {
		return err
	}
	if err := d.poll(ctx, "recently-active", recent); err != nil {
		return err
	}
	return d.poll(ctx, "all", all)
}

// askAPI asks the API of the node.
func (d *daemon) askAPI(ctx context.Context) error {
	for _, path := range []string{"/torrents?limit=100", "/torrents?limit=100000"} {
		if err := d.ask("GET "+path, func() ([]byte, error) {
			return d.api(ctx, http.DefaultClient, "GET", path, nil)
		}); err != nil {
			return err
		}
	}
	return nil
}

// ask asks one question several times.
func (d *daemon) ask(what string, send func() ([]byte, error)) error {
	var took []time.Duration
	size := 0
	for range rounds {
		began := time.Now()
		doc, err := send()
		if err != nil {
			return err
		}
		took, size = append(took, time.Since(began)), len(doc)
	}
	fmt.Printf("%s: %s: median %s of %d, %s at most; %.1f KB\n", d.name, what,
		figures.Median(took).Round(time.Microsecond), rounds,
		slices.Max(took).Round(time.Microsecond), float64(size)/1000)
	return nil
}

// poll lets front ends poll, as many as there are pollers.
func (d *daemon) poll(ctx context.Context, what string, body []byte) error {
	var mu sync.Mutex
	var took []time.Duration
	var first error
	share, err := d.share(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, pollFor)
		defer cancel()
		var wait sync.WaitGroup
		for i := range pollers {
			wait.Go(func() {
				times, err := d.pollOne(ctx, time.Duration(i)*pollTime/pollers, body)
				mu.Lock()
				defer mu.Unlock()
				took = append(took, times...)
				if first == nil {
					first = err
				}
			})
		}
		wait.Wait()
		return first
	})
	if err != nil {
		return err
	}
	slices.Sort(took)
	if len(took) == 0 {
		return fmt.Errorf("no poll was answered within %v", pollFor)
	}
	fmt.Printf("%s: %d front ends poll %s: %d answers in %v, %.1f %% of a core, median %s, "+
		"95 %% within %s\n", d.name, pollers, what, len(took), pollFor, share,
		figures.Median(took).Round(time.Microsecond),
		took[(len(took)-1)*95/100].Round(time.Microsecond))
	return nil
}

// pollOne is one front end. It returns how long each answer took.
func (d *daemon) pollOne(ctx context.Context, after time.Duration, body []byte) ([]time.Duration,
	error) {
	c := &rpcClient{url: d.rpc.url, http: http.Client{Transport: &http.Transport{}}}
	defer c.http.CloseIdleConnections()
	var took []time.Duration
	next := time.NewTimer(after)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return took, nil
		}
		next.Reset(pollTime)
		began := time.Now()
		_, err := c.call(ctx, body)
		if ctx.Err() != nil {
			return took, nil
		}
		if err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
	}
}
