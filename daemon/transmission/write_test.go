package transmission

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestWriter(t *testing.T) {
	w := &writer{d: modern}
	w.open('{')
	w.key("a")
	w.open('[')
	w.int(-1)
	w.bool(true)
	w.bit(true)
	w.bit(false)
	w.float(2)
	w.float(0.12345)
	w.float(math.Inf(1))
	w.float(math.NaN())
	w.float(math.MaxFloat64)
	w.text("x\"\\\n\x00\x7f\u0085é\u2028😀\xff")
	w.texts([]string{"a", "b"})
	w.texts(nil)
	w.time(time.Time{})
	w.time(time.Unix(7, 0))
	w.base64([]byte{1, 2, 3})
	w.raw([]byte("null"))
	w.shut(']')
	w.name("legacy-name", "modern_name")
	w.open('{')
	w.shut('}')
	k := names{"l", "m"}.keys()
	w.keyed(&k)
	w.int(0)
	w.shut('}')
	var max strings.Builder
	json.NewEncoder(&max).Encode(math.MaxFloat64)
	want := `{"a":[-1,true,1,0,2,0.1235,-1,-1,` + "179769313486231570" + strings.Repeat("0", 291) +
		`,"x\"\\\n\u0000\u007f\u0085é\u2028😀\ufffd",["a","b"],[],0,7,"AQID",null],` +
		`"modern_name":{},"m":0}`
	if got := string(w.b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(w.b) {
		t.Error("this is not JSON")
	}
}

// Every string can be read again, and shown.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "plain", "\"\\\x00\x1f\x7f", "é\u0080\u009f\u2028\ufffd",
		"\xff\xc3(", "😀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var w writer
		w.text(s)
		var got string
		if err := json.Unmarshal(w.b, &got); err != nil {
			t.Fatalf("%q becomes %s: %v", s, w.b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != want {
			t.Errorf("%q becomes %q", s, got)
		}
		if strings.ContainsFunc(string(w.b), func(r rune) bool {
			return r < ' ' || r >= 0x7f && r < 0xa0
		}) {
			t.Errorf("%q becomes %q, which has control characters", s, w.b)
		}
	})
}
