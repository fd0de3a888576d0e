//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"swarmnode/internal/nodeproc"
	"swarmnode/internal/proc"
)

// transmissionHost is the address of transmission-daemon.
const transmissionHost = "11.202.0.1"

// transmissionSeeding is the status of a torrent that seeds.
const transmissionSeeding = 6

// measureTransmission measures transmission-daemon, without a DHT: adding, and starting again.
func (s *scene) measureTransmission(ctx context.Context) error {
	path, err := exec.LookPath("transmission-daemon")
	if err != nil {
		fmt.Println("transmission-daemon is left out:", err)
		return nil
	}
	dir := filepath.Join(s.work, "transmission")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	settings, err := json.Marshal(map[string]any{"bind-address-ipv4": transmissionHost,
		"port-forwarding-enabled": false, "rpc-bind-address": "127.0.0.1",
		"rpc-whitelist-enabled": false, "rpc-host-whitelist-enabled": false, "dht-enabled": false,
		"lpd-enabled": false, "download-dir": s.content, "ratio-limit-enabled": false})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "settings.json"), settings, 0o600); err != nil {
		return err
	}
	d, err := s.startTransmission(ctx, path, dir)
	if err != nil {
		return err
	}
	began := time.Now()
	err = s.addToTransmission(ctx, d)
	added := time.Since(began)
	seeds := 0
	if err == nil {
		seeds, err = d.awaitSeeds(ctx, s.cfg.torrents)
	}
	if err == nil {
		fmt.Printf("%s: %d torrents added by RPC: %.1f s (%.0f a second); %d seed after "+
			"%.1f s%s\n", d.name, s.cfg.torrents, added.Seconds(),
			float64(s.cfg.torrents)/added.Seconds(), seeds, time.Since(began).Seconds(), d.used())
		began = time.Now()
		d.stop()
		fmt.Printf("%s: stopped within %.1f s\n", d.name, time.Since(began).Seconds())
	}
	d.stop()
	if err != nil {
		return err
	}
	return s.restartTransmission(ctx, path, dir)
}

// restartTransmission starts it with its torrents.
func (s *scene) restartTransmission(ctx context.Context, path, dir string) error {
	began := time.Now()
	d, err := s.startTransmission(ctx, path, dir)
	if err != nil {
		return err
	}
	defer d.stop()
	if err := d.await(ctx, "", s.cfg.torrents); err != nil {
		return err
	}
	listed := time.Since(began)
	seeds, err := d.awaitSeeds(ctx, s.cfg.torrents)
	if err != nil {
		return err
	}
	fmt.Printf("%s: all listed %.2f s after the start; %d seed after %.1f s%s\n", d.name,
		listed.Seconds(), seeds, time.Since(began).Seconds(), d.used())
	if err := d.rest(ctx, s.cfg.rest); err != nil {
		return err
	}
	return d.askAll(ctx)
}

// startTransmission starts it, and waits until it answers.
func (s *scene) startTransmission(ctx context.Context, path, dir string) (*daemon, error) {
	p, err := proc.Start(proc.Config{Path: path, Args: []string{"-f", "-g", dir}})
	if err != nil {
		return nil, err
	}
	d := &daemon{name: "transmission", process: p, log: func() string { return "" },
		rpc: newRPC(rpcAddr), more: func(context.Context) error { return nil }}
	d.counts = d.countByRPC
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if _, err = d.rpc.call(ctx, request("session-get", nil)); err == nil {
			return d, nil
		}
		if pause := nodeproc.Pause(ctx, pollEvery); pause != nil {
			d.stop()
			return nil, errors.Join(pause, err)
		}
	}
}

// addToTransmission adds all torrents, by one client after the other: it has one thread for
// them.
func (s *scene) addToTransmission(ctx context.Context, d *daemon) error {
	clients := make([]*rpcClient, adders)
	for i := range clients {
		clients[i] = newRPC(rpcAddr)
	}
	return s.each(func(adder int, doc []byte) error {
		answer, err := clients[adder].call(ctx, request("torrent-add",
			map[string]any{"metainfo": doc, "download-dir": s.content}))
		if err != nil {
			return err
		}
		var result struct{ Result string }
		if err := json.Unmarshal(answer, &result); err != nil {
			return err
		}
		if result.Result != "success" {
			return fmt.Errorf("torrent-add: %s", result.Result)
		}
		return nil
	})
}

// countByRPC is count of Transmission.
func (d *daemon) countByRPC(ctx context.Context, status string) (int, error) {
	doc, err := d.rpc.call(ctx, request("torrent-get",
		map[string]any{"fields": []string{"status"}}))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Arguments struct{ Torrents []struct{ Status int } }
	}
	if err := json.Unmarshal(doc, &answer); err != nil {
		return 0, err
	}
	n := 0
	for _, t := range answer.Arguments.Torrents {
		if status == "" || t.Status == transmissionSeeding {
			n++
		}
	}
	return n, nil
}
