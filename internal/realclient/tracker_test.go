//go:build linux

package realclient

import (
	"io"
	"net/http"
	"net/netip"
	"testing"
)

func TestTracker(t *testing.T) {
	ip := netip.MustParseAddr("127.0.0.1")
	tracker, err := NewTracker(ip, netip.MustParseAddrPort("10.1.2.3:258"))
	if err != nil {
		t.Fatal(err)
	}
	defer tracker.Close()
	res, err := httpClient.Get(tracker.URL + "?info_hash=x&compact=1")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	const want = "d8:completei1e8:intervali5e12:min intervali5e5:peers6:\x0a\x01\x02\x03\x01\x02e"
	if err != nil || res.StatusCode != http.StatusOK || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := NewTracker(ip, netip.MustParseAddrPort("[::1]:1")); err == nil {
		t.Error("IPv6 peer: got nil, want an error")
	}
}
