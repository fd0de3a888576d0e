//go:build unix

package main

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"swarmnode"
)

// checkSite checks that a page with its API and metrics is served below base.
func checkSite(t *testing.T, client *http.Client, base string) {
	t.Helper()
	for path, want := range map[string]string{
		"/": "<!doctype html>", "/api/v1/session": `"version"`, "/metrics": "# HELP",
	} {
		status, body := answerOf(t, client, http.MethodGet, base+path, "")
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: status %d, %.200s", path, status, body)
		}
	}
	if status, _ := answerOf(t, client, http.MethodGet, base+"/none", ""); status !=
		http.StatusNotFound {
		t.Errorf("a path without anything: status %d", status)
	}
}

func TestDaemonServesThePage(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--http", "127.0.0.1:0")
	over := &http.Client{Timeout: time.Minute}
	checkSite(t, over, "http://"+d.start.HTTP[0])
	checkSite(t, d.local(), "http://localhost")
	status, body := answerOf(t, over, http.MethodGet, "http://"+d.start.HTTP[0]+"/none", "")
	if strings.Contains(body, "<html") {
		t.Errorf("status %d, %s", status, body)
	}
}

func TestPageOfAllAddressesNamesSomeThatWork(t *testing.T) {
	network, err := swarmnode.NewNetwork(swarmnode.NetworkConfig{})
	if err != nil {
		t.Fatal(err)
	}
	here, others := pageURLs(network, netip.MustParseAddrPort("0.0.0.0:8080"))
	if here != "http://localhost:8080/" {
		t.Error(here)
	}
	for _, url := range others {
		if strings.Contains(url, "0.0.0.0") || !strings.HasSuffix(url, ":8080/") {
			t.Error(url)
		}
	}
	here, others = pageURLs(network, netip.MustParseAddrPort("[::1]:8080"))
	if here != "http://[::1]:8080/" || others != nil {
		t.Error(here, others)
	}
}

func TestViewersAreCounted(t *testing.T) {
	v, now := new(viewers), time.Now()
	if v.watch(now, time.Minute) {
		t.Error("nobody watches")
	}
	v.add(1)
	if !v.watch(now.Add(24*time.Hour), time.Minute) {
		t.Error("a viewer that stays")
	}
	v.add(-1)
	if !v.watch(time.Now(), time.Hour) || v.watch(time.Now().Add(2*time.Hour), time.Hour) {
		t.Error("a viewer that has gone")
	}
}
