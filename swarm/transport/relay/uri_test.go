package relay

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		text  string
		want  URI
		again string
	}{
		{"turn:example.org", URI{Host: "example.org", Port: 3478}, "turn:example.org"},
		{"turn:example.org:3478", URI{Host: "example.org", Port: 3478}, "turn:example.org"},
		{"turn:192.0.2.1:53?transport=udp", URI{Host: "192.0.2.1", Port: 53, Transport: UDP},
			"turn:192.0.2.1:53?transport=udp"},
		{"turn:[2001:db8::1]:443?transport=tcp",
			URI{Host: "2001:db8::1", Port: 443, Transport: TCP},
			"turn:[2001:db8::1]:443?transport=tcp"},
		{"turn:me:s3%40cret@example.org:1", URI{Host: "example.org", Port: 1, User: "me",
			Password: "s3@cret"}, "turn:example.org:1"},
	} {
		got, err := ParseURI(c.text)
		if err != nil || got != c.want || got.String() != c.again {
			t.Errorf("%q: %+v (%v), %v; want %+v", c.text, got, got, err, c.want)
		}
	}
	for _, text := range []string{"", "turn:", "turn:/", "turn://example.org", "turns:example.org",
		"stun:example.org", "turn:example.org:0", "turn:example.org:65536", "turn:example.org/x",
		"turn:example.org?transport=sctp", "turn:example.org#x", "turn::3478", "turn:2001:db8::1",
		"turn:[example.org]", "turn:me@example.org",
		"turn:me:@example.org", "turn::secret@example.org", "turn:@example.org",
		"turn:" + strings.Repeat("x", 1100)} {
		if got, err := ParseURI(text); !errors.Is(err, errURI) {
			t.Errorf("%.40q: %+v, %v", text, got, err)
		}
	}
	_, err := ParseURI("turn:me:secret@example.org:x")
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the password: %v", err)
	}
}

// What is parsed is written such that it is parsed to the same server.
func FuzzParseURI(f *testing.F) {
	f.Add("turn:me:s3%40cret@[2001:db8::1]:443?transport=tcp")
	f.Add("turn:example.org")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text)
		if err != nil {
			return
		}
		u.User, u.Password = "", ""
		again, err := ParseURI(u.String())
		if err != nil || again != u {
			t.Errorf("%q: %+v, then %+v, %v", text, u, again, err)
		}
	})
}
