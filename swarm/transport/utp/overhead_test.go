package utp

import (
	"io"
	"testing"
	"time"
)

// TestOverhead: headers and acknowledgements count as overhead, and the stream does not.
func TestOverhead(t *testing.T) {
	const size = 4 << 20
	from, to := connect(t, listen(t), listen(t))
	from.SetDeadline(time.Now().Add(time.Minute))
	to.SetDeadline(time.Now().Add(time.Minute))
	go from.Write(make([]byte, size))
	if _, err := io.ReadFull(to, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	sent, acks := from.Overhead()
	sentBack, headers := to.Overhead()
	for _, c := range []struct {
		what        string
		bytes, most int64
	}{
		{"sent with the data", sent, size / 10},
		{"acknowledgements received", acks, size / 20},
		{"acknowledgements sent", sentBack, size / 20},
		{"headers received with the data", headers, size / 10},
	} {
		if c.bytes < headerSize || c.bytes > c.most {
			t.Errorf("%s: %d bytes of overhead for %d of data, want %d to %d", c.what, c.bytes,
				size, headerSize, c.most)
		}
	}
}
