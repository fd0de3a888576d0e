package relay

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestChannelData(t *testing.T) {
	for _, c := range []struct {
		stream bool
		data   string
		want   string
	}{
		{false, "abcde", "400000056162636465"},
		{true, "abcde", "400000056162636465000000"},
		{true, "abcd", "4000000461626364"},
		{false, "", "40000000"},
	} {
		b := appendChannel(nil, channelFirst, []byte(c.data), c.stream)
		if got := hex.EncodeToString(b); got != c.want {
			t.Errorf("%q: %s, want %s", c.data, got, c.want)
		}
		number, data, ok := parseChannel(b)
		if !ok || number != channelFirst || string(data) != c.data {
			t.Errorf("%q: parsed %x %q %v", c.data, number, data, ok)
		}
	}
	for _, text := range []string{"", "40", "400000", "4000000161"[:8], "0001000161"} {
		b, _ := hex.DecodeString(text)
		if _, _, ok := parseChannel(b); ok {
			t.Errorf("%q is ChannelData", text)
		}
	}
}

func TestFrames(t *testing.T) {
	stun := append([]byte{0, 1, 0, 4, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 16)...)
	channel := appendChannel(nil, 0x4001, []byte("abcde"), true)
	text := string(stun) + string(channel) + string(channel) + string(stun)
	for _, r := range []io.Reader{strings.NewReader(text),
		iotest.OneByteReader(strings.NewReader(text))} {
		var got []string
		err := readFrames(r, func(b []byte) { got = append(got, string(b)) })
		if err != io.EOF || len(got) != 4 || strings.Join(got, "") != text {
			t.Errorf("%d messages %q, %v", len(got), got, err)
		}
	}
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"text", "GET / HTTP/1.1\r\n", errFrameLong},
		{"neither", "\x80\x00\x00\x00", errFrame},
		{"an odd size", "\x00\x01\x00\x03", errFrame},
		{"a long channel", "\x40\x00\xff\xff", errFrameLong},
		{"a long STUN", "\x00\x01\xff\xfc", errFrameLong},
	} {
		if err := readFrames(strings.NewReader(c.text), func([]byte) {}); err != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestCarried(t *testing.T) {
	utp := func(first byte) []byte { return append([]byte{first}, make([]byte, 19)...) }
	stun := utp(0x01)
	copy(stun[4:], "\x21\x12\xa4\x42")
	for _, c := range []struct {
		name string
		b    []byte
		want bool
	}{
		{"nothing", nil, false},
		{"a SYN", utp(0x41), true},
		{"data", append(utp(0x01), make([]byte, 1380)...), true},
		{"a short header", utp(0x01)[:19], false},
		{"version 2", utp(0x02), false},
		{"type 5", utp(0x51), false},
		{"a query", []byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), true},
		{"an answer", []byte("d2:ip6:abcdef1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re"), true},
		{"text", []byte("do not carry this"), false},
		{"a dictionary that does not end", []byte("d1:ad2:id20:abcdefghij0123456789"), false},
		{"STUN", stun, false},
		{"a channel", utp(0x40), false},
		{"DNS", []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00" +
			"\x00\xff\x00\x01"), false},
		{"SNMP", []byte("0&\x02\x01\x01\x04\x06public\xa5\x19\x02\x01\x01\x02\x01\x00"), false},
		{"NTP monlist", []byte("\x17\x00\x03\x2a" + strings.Repeat("\x00", 44)), false},
		{"memcached", []byte("\x00\x01\x00\x00\x00\x01\x00\x00stats\r\n and so on"), false},
		{"QUIC", append([]byte{0xc3, 0, 0, 0, 1}, make([]byte, 1195)...), false},
	} {
		if got := carried(c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Whatever comes over a stream, its messages are parts of it in order, of bounded size.
func FuzzFrames(f *testing.F) {
	f.Add(append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...))
	f.Add(appendChannel(nil, 0x4000, []byte("abcde"), true))
	f.Add([]byte("\x40\x00\x07\xfc" + strings.Repeat("x", 2044)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole []byte
		err := readFrames(iotest.HalfReader(bytes.NewReader(b)), func(m []byte) {
			if len(m) < channelHeaderSize || len(m) > frameMax {
				t.Errorf("a message of %d bytes", len(m))
			}
			if number, data, ok := parseChannel(m); ok {
				again := appendChannel(nil, number, data, true)
				if len(again) != len(m) {
					t.Errorf("%x is %x", m, again)
				}
			}
			whole = append(whole, m...)
		})
		if err == nil || !bytes.HasPrefix(b, whole) {
			t.Errorf("%x: %x, %v", b, whole, err)
		}
	})
}
