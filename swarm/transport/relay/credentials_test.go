package relay

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

var noon = time.Unix(1_800_000_000, 0)

func TestCredentialsAreBoundToTheirAddress(t *testing.T) {
	k := NewKeys(noon)
	for _, c := range []struct {
		name, for_, from string
		ok               bool
	}{
		{"the same", "192.0.2.1", "192.0.2.1", true},
		{"as IPv6 has it", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"a neighbour", "192.0.2.1", "192.0.2.2", false},
		{"the same /64", "2001:db8::1", "2001:db8::ffff:2", true},
		{"another /64", "2001:db8::1", "2001:db8:0:1::1", false},
		{"the other family", "192.0.2.1", "2001:db8::1", false},
	} {
		user, password := k.Credentials(netip.MustParseAddr(c.for_), noon)
		got, known := k.password(user, netip.MustParseAddr(c.from), noon)
		if !known {
			t.Errorf("%s: the user is unknown", c.name)
		}
		if ok := got == password; ok != c.ok {
			t.Errorf("%s: the password counts: %v, want %v", c.name, ok, c.ok)
		}
	}
}

func TestCredentialsExpire(t *testing.T) {
	k, ip := NewKeys(noon), netip.MustParseAddr("192.0.2.1")
	user, _ := k.Credentials(ip, noon)
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{0, true}, {CredentialLife, true}, {CredentialLife + time.Second, false}} {
		if _, ok := k.password(user, ip, noon.Add(c.after)); ok != c.want {
			t.Errorf("after %v: %v, want %v", c.after, ok, c.want)
		}
	}
	// Nobody can choose a later expiry, or a name of another form.
	for _, user := range []string{"", "abc", "1800000601.5", "99999999999", "+1800000600 ",
		"-1", strings.Repeat("1", 600)} {
		if _, ok := k.password(user, ip, noon); ok {
			t.Errorf("user %.20q is one of ours", user)
		}
	}
}

// The secret changes, and no credentials fail for it, whenever they are made.
func TestSecretRotates(t *testing.T) {
	k, ip := NewKeys(noon), netip.MustParseAddr("192.0.2.1")
	first := k.current
	type made struct {
		at             time.Duration
		user, password string
	}
	var live []made
	const step = 700 * time.Millisecond
	for at := SecretLife - 2*time.Second; at < SecretLife+CredentialLife+2*time.Second; at += step {
		user, password := k.Credentials(ip, noon.Add(at))
		live = append(live, made{at, user, password})
		for _, m := range []made{live[0], live[len(live)/2], live[len(live)-1]} {
			if at-m.at > CredentialLife-time.Second {
				continue
			}
			if got, ok := k.password(m.user, ip, noon.Add(at)); !ok || got != m.password {
				t.Fatalf("made at %v, asked at %v: %v, %q, want %q", m.at, at, ok, got, m.password)
			}
		}
	}
	if k.current == first {
		t.Error("the secret is the same after an hour")
	}
	k.Credentials(ip, noon.Add(5*SecretLife))
	if k.former == first || k.current == first {
		t.Error("the secret is in use hours later")
	}
}

func TestSecretsDiffer(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.1")
	user, a := Credentials([]byte("a"), ip, noon)
	_, b := Credentials([]byte("b"), ip, noon)
	if a == b || user != "1800000600" || len(a) != 24 {
		t.Errorf("user %q, passwords %q and %q", user, a, b)
	}
}
