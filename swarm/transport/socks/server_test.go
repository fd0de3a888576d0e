package socks

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for raw, want := range map[string]Server{
		"socks5://192.0.2.1:1080":              {Host: "192.0.2.1", Port: 1080},
		"socks5h://proxy.example:9050/":        {Host: "proxy.example", Port: 9050},
		"SOCKS5://[2001:db8::1]:1":             {Host: "2001:db8::1", Port: 1},
		"socks5://u:p@localhost:65535":         {"localhost", 65535, "u", "p"},
		"socks5://a%40b:p%3aq%2F%25@h.x:1080":  {"h.x", 1080, "a@b", "p:q/%"},
		"socks5://u:a:b@h.x.:1080":             {"h.x", 1080, "u", "a:b"},
		"socks5://[fe80::1%25eth0]:1080":       {Host: "fe80::1%eth0", Port: 1080},
		"socks5://" + long(255) + ":1@h:1":     {"h", 1, long(255), "1"},
		"socks5://u:" + long(255) + "@h.x:1":   {"h.x", 1, "u", long(255)},
		"socks5://" + long(255) + ":1080":      {Host: long(255), Port: 1080},
		"socks5://xn--bcher-kva.example:1080/": {Host: "xn--bcher-kva.example", Port: 1080},
	} {
		got, err := Parse(raw)
		if err != nil || got != want {
			t.Errorf("%.60s: got %#v, %v, want %#v", raw, got, err, want)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestParseFaults(t *testing.T) {
	for raw, want := range map[string]error{
		"":                                    errScheme,
		"192.0.2.1:1080":                      errNotParsed,
		"proxy.example:1080":                  errScheme,
		"http://proxy.example:1080":           errScheme,
		"socks4://proxy.example:1080":         errScheme,
		"socks5:proxy.example:1080":           errMore,
		"socks5://proxy.example":              errHost,
		"socks5://:1080":                      errHost,
		"socks5://proxy.example:0":            errHost,
		"socks5://proxy.example:65536":        errHost,
		"socks5://proxy.example:x":            errNotParsed,
		"socks5://a b:1080":                   errNotParsed,
		"socks5://proxy.example:1080/path":    errMore,
		"socks5://proxy.example:1080?":        errMore,
		"socks5://proxy.example:1080?dns=yes": errMore,
		"socks5://proxy.example:1080#x":       errMore,
		"socks5://user@proxy.example:1080":    errUser,
		"socks5://:secret@proxy.example:1080": errUser,
		"socks5://user:@proxy.example:1080":   errUser,
		"socks5://u:secret@[::1:1080":         errNotParsed,
		"socks5://" + long(256) + ":1080":     errLong,
		"socks5://u:" + long(256) + "@h:1080": errLong,
		"socks5://" + long(256) + ":p@h:1080": errLong,
	} {
		_, err := Parse(raw)
		var fault *URLError
		if !errors.As(err, &fault) || !errors.Is(err, want) {
			t.Errorf("%.60q: got %v, want %v", raw, err, want)
		}
		if strings.Contains(fmt.Sprint(err), "secret") {
			t.Errorf("%q: the error shows the password: %v", raw, err)
		}
	}
}

// Whatever prints a Server does not print its password.
func TestPasswordsAreNotShown(t *testing.T) {
	s, err := Parse("socks5://user:secret@192.0.2.1:1080")
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "proxy", s,
		"err", &ServerError{s, errSilent}, "deep", fmt.Sprintf("%+v %#v", &s, []Server{s}))
	text := fmt.Sprintf("%v %+v %s %q %#v", s, s, s, s, s) + log.String()
	if strings.Contains(text, "secret") || strings.Contains(text, "user") {
		t.Errorf("the password is shown: %s", text)
	}
	if s.String() != "socks5://192.0.2.1:1080" {
		t.Errorf("got %v", s)
	}
}
