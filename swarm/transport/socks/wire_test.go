package socks

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
)

func mustAddr(host string, port uint16) address {
	a, err := addressOf(host, port)
	if err != nil {
		panic(err)
	}
	return a
}

func TestAppendAddress(t *testing.T) {
	for _, tt := range []struct {
		host string
		want string
	}{
		{"192.0.2.1", "\x01\xc0\x00\x02\x01\x1a\xe1"},
		{"::ffff:192.0.2.1", "\x01\xc0\x00\x02\x01\x1a\xe1"},
		{"2001:db8::1", "\x04\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1"},
		{"fe80::1%eth0", "\x04\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x1a\xe1"},
		{"a.example", "\x03\x09a.example\x1a\xe1"},
		{strings.Repeat("n", 255), "\x03\xff" + strings.Repeat("n", 255) + "\x1a\xe1"},
	} {
		if got := string(mustAddr(tt.host, 6881).append(nil)); got != tt.want {
			t.Errorf("%.40s: got %q, want %q", tt.host, got, tt.want)
		}
	}
	for _, bad := range []string{"", strings.Repeat("n", 256)} {
		if _, err := addressOf(bad, 1); !errors.Is(err, ErrName) {
			t.Errorf("a name of %d bytes: %v", len(bad), err)
		}
	}
}

func TestReplies(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     address
		err      error
	}{
		{"IPv4", "\x05\x00\x00\x01\xc0\x00\x02\x01\x1a\xe1", mustAddr("192.0.2.1", 6881), nil},
		{"IPv6", "\x05\x00\x00\x04" + strings.Repeat("\x00", 15) + "\x01\x1a\xe1",
			mustAddr("::1", 6881), nil},
		{"name", "\x05\x00\x00\x03\x01a\x1a\xe1", mustAddr("a", 6881), nil},
		{"long name", "\x05\x00\x00\x03\xff" + strings.Repeat("n", 255) + "\x00\x00",
			mustAddr(strings.Repeat("n", 255), 0), nil},
		{"empty name", "\x05\x00\x00\x03\x00\x00\x00", address{}, nil},
		{"reserved byte in use", "\x05\x00\x07\x01\x00\x00\x00\x00\x00\x00",
			mustAddr("0.0.0.0", 0), nil},
		{"version", "\x04\x00\x00\x01\x00\x00\x00\x00\x00\x00", address{}, ErrProtocol},
		{"SOCKS4", "\x00\x5a\x00\x00\x00\x00\x00\x00", address{}, ErrProtocol},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n", address{}, ErrProtocol},
		{"address type", "\x05\x00\x00\x02\x00\x00\x00\x00\x00\x00", address{}, ErrProtocol},
		{"nothing", "", address{}, io.EOF},
		{"short", "\x05\x00\x00\x01\x00\x00", address{}, io.ErrUnexpectedEOF},
		{"refused", "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00", address{},
			&ReplyError{ConnectionRefused}},
		{"refused by a short reply", "\x05\x05\x00\x01\x00\x00", address{},
			&ReplyError{ConnectionRefused}},
		{"refused without an address", "\x05\x07\x00\x00\x00", address{}, &ReplyError{NoCommand}},
		{"unknown reply", "\x05\xc8\x00\x01\x00\x00\x00\x00\x00\x00", address{}, &ReplyError{200}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := strings.NewReader(tt.in + "content")
			if errors.Is(tt.err, io.EOF) || errors.Is(tt.err, io.ErrUnexpectedEOF) {
				r = strings.NewReader(tt.in)
			}
			if strings.Contains(tt.name, "short reply") {
				r = strings.NewReader(tt.in)
			}
			got, err := readReply(r)
			var reply, want *ReplyError
			switch {
			case errors.As(tt.err, &want):
				if !errors.As(err, &reply) || *reply != *want {
					t.Errorf("got %v, want %v", err, tt.err)
				}
			case !errors.Is(err, tt.err) || tt.err == nil && err != nil:
				t.Errorf("got %v, want %v", err, tt.err)
			}
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
			if rest, _ := io.ReadAll(r); tt.err == nil && string(rest) != "content" {
				t.Errorf("%q is left of what follows", rest)
			}
		})
	}
}

func TestDatagrams(t *testing.T) {
	for _, tt := range []struct{ name, in, from, payload string }{
		{"IPv4", "\x00\x00\x00\x01\xc0\x00\x02\x01\x1a\xe1hello", "192.0.2.1:6881", "hello"},
		{"IPv6", "\x00\x00\x00\x04\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x01\x1a\xe1x",
			"[2001:db8::1]:6881", "x"},
		{"mapped", "\x00\x00\x00\x04" + strings.Repeat("\x00", 10) +
			"\xff\xff\xc0\x00\x02\x01\x1a\xe1x", "192.0.2.1:6881", "x"},
		{"empty", "\x00\x00\x00\x01\xc0\x00\x02\x01\x1a\xe1", "192.0.2.1:6881", ""},
		{"address as text", "\x00\x00\x00\x03\x09192.0.2.1\x1a\xe1x", "192.0.2.1:6881", "x"},
	} {
		from, payload, ok := parseDatagram([]byte(tt.in))
		if !ok || from != netip.MustParseAddrPort(tt.from) || string(payload) != tt.payload {
			t.Errorf("%s: got %v, %q, %v", tt.name, from, payload, ok)
		}
	}
	for name, in := range map[string]string{
		"nothing":     "",
		"short":       "\x00\x00\x00",
		"no address":  "\x00\x00\x00\x01",
		"cut address": "\x00\x00\x00\x01\xc0\x00\x02\x01\x1a",
		"fragment":    "\x00\x00\x01\x01\xc0\x00\x02\x01\x1a\xe1x",
		"last":        "\x00\x00\x80\x01\xc0\x00\x02\x01\x1a\xe1x",
		"reserved":    "\x00\x01\x00\x01\xc0\x00\x02\x01\x1a\xe1x",
		"type":        "\x00\x00\x00\x05\xc0\x00\x02\x01\x1a\xe1x",
		"name":        "\x00\x00\x00\x03\x01a\x1a\xe1x",
		"empty name":  "\x00\x00\x00\x03\x00\x1a\xe1x",
		"cut name":    "\x00\x00\x00\x03\xffabc",
		"port 0":      "\x00\x00\x00\x01\xc0\x00\x02\x01\x00\x00x",
		"nobody":      "\x00\x00\x00\x01\x00\x00\x00\x00\x1a\xe1x",
		"uTP":         "\x41\x02\x12\x34\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
	} {
		if from, payload, ok := parseDatagram([]byte(in)); ok {
			t.Errorf("%s: got %v, %q", name, from, payload)
		}
	}
}

// Whatever comes from a proxy is read without a fault, and what is understood is what
// we would write.
func FuzzReply(f *testing.F) {
	f.Add([]byte("\x05\x00\x00\x01\xc0\x00\x02\x01\x1a\xe1"))
	f.Add([]byte("\x05\x00\x00\x03\x01a\x1a\xe1"))
	f.Add([]byte("\x05\x05\x00\x04"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		bound, err := readReply(r)
		if err != nil {
			return
		}
		if !bound.ip.IsValid() && bound.name == "" {
			return
		}
		used := len(b) - r.Len()
		ip, name, port, rest, ok := parseAddress(bound.append(nil))
		if !ok || len(rest) > 0 || port != bound.port || ip != bound.ip ||
			string(name) != bound.name || used > 4+1+fieldMax+2 {
			t.Errorf("%x was read as %v, %d bytes", b, bound, used)
		}
	})
}

func FuzzDatagram(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\xc0\x00\x02\x01\x1a\xe1hello"))
	f.Add([]byte("\x00\x00\x00\x03\x09192.0.2.1\x1a\xe1x"))
	f.Add([]byte("\x00\x00\x00\x04\x20\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		from, payload, ok := parseDatagram(b)
		if !ok {
			return
		}
		again := append(appendHeader(nil, address{ip: from.Addr(), port: from.Port()}), payload...)
		back, body, ok := parseDatagram(again)
		if !ok || back != from || !bytes.Equal(body, payload) {
			t.Errorf("%x: %v, %x became %v, %x", b, from, payload, back, body)
		}
	})
}
