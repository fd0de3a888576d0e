package api

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
)

// A lockedRig is a rig that needs a token over TCP, of which there is one for each scope.
type lockedRig struct {
	*rig
	passwords string
	tokens    map[control.Scope]string
}

// newLockedRig starts a daemon that needs a token.
func newLockedRig(t *testing.T) *lockedRig {
	t.Helper()
	r := &lockedRig{passwords: filepath.Join(t.TempDir(), "passwords"),
		tokens: make(map[control.Scope]string)}
	for _, scope := range []control.Scope{control.Read, control.Control, control.Admin} {
		r.tokens[scope] = r.addToken(t, scope, time.Time{})
	}
	gate, err := control.NewGate(control.GateConfig{Passwords: r.passwords})
	if err != nil {
		t.Fatal(err)
	}
	r.rig = newRig(t, func(cfg *Config) { cfg.Gate = gate })
	return r
}

// addToken makes the token of a scope, which has its name.
func (r *lockedRig) addToken(t *testing.T, scope control.Scope, expires time.Time) string {
	t.Helper()
	token, hash := control.NewToken()
	if err := control.SetPassword(r.passwords, control.Entry{Name: scope.String(), Scope: scope,
		Hash: hash, Expires: expires}); err != nil {
		t.Fatal(err)
	}
	return token
}

// followAs opens a feed over TCP by the token of a scope, and reads what it tells at first.
func (r *lockedRig) followAs(scope control.Scope) *sse {
	r.t.Helper()
	return r.followWith("Authorization", "Bearer "+r.tokens[scope])
}

// followWith opens a feed over TCP with a header, and reads what it tells at first.
func (r *lockedRig) followWith(name, value string) *sse {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), within)
	r.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, "GET", r.url+"/events", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set(name, value)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { response.Body.Close() })
	r.want(answer{status: response.StatusCode}, http.StatusOK, nil)
	feed := &sse{bufio.NewReader(response.Body), cancel}
	feed.batch(r.t)
	return feed
}

// A feed ends soon after its token was removed, replaced, or is over. Others go on.
func TestFeedEndsWithItsToken(t *testing.T) {
	r := newLockedRig(t)
	r.api.heartbeat = 10 * time.Millisecond
	reads, controls, admins := r.followAs(control.Read), r.followAs(control.Control),
		r.followAs(control.Admin)
	ends := func(what string, feed *sse) {
		t.Helper()
		if _, err := io.Copy(io.Discard, feed.lines); err != nil {
			t.Errorf("%s: the feed goes on: %v", what, err)
		}
	}
	if _, err := control.RemovePassword(r.passwords, "control", true); err != nil {
		t.Fatal(err)
	}
	ends("removed", controls)
	r.addToken(t, control.Admin, time.Time{})
	ends("replaced", admins)
	if line, err := reads.lines.ReadString('\n'); err != nil {
		t.Errorf("the other feed: %q, %v", line, err)
	}
}

// Only a login that may change settings sees the secrets in them.
func TestSettingsAreShownWithoutSecrets(t *testing.T) {
	r := newLockedRig(t)
	if err := r.daemon.Change(t.Context(), func(s *daemon.Settings) {
		s.OnError = []string{"/bin/true", "s3cret"}
	}); err != nil {
		t.Fatal(err)
	}
	for scope, token := range r.tokens {
		a := r.remote("GET", "/settings", nil, "Authorization", "Bearer "+token)
		r.want(a, http.StatusOK, nil)
		if seen := strings.Contains(string(a.body), "s3cret"); seen != (scope == control.Admin) {
			t.Errorf("%v: %s", scope, a.body)
		}
	}
}
