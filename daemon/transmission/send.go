package transmission

import (
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// gzipMin is how many bytes an answer has at least that is compressed.
const gzipMin = 1024

// zippers keeps the large tables of compression.
var zippers = sync.Pool{New: func() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return z
}}

// send sends an answer, compressed if the client likes that.
func send(w http.ResponseWriter, r *http.Request, answer []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=UTF-8")
	header.Set("Cache-Control", "no-store")
	if len(answer) < gzipMin || !takesGzip(r.Header.Values("Accept-Encoding")) {
		header.Set("Content-Length", strconv.Itoa(len(answer)))
		_, _ = w.Write(answer) // the client may be gone
		return
	}
	header.Set("Content-Encoding", "gzip")
	z := zippers.Get().(*gzip.Writer)
	z.Reset(w)
	_, err := z.Write(answer)
	if err == nil {
		_ = z.Close() // the client may be gone
	}
	z.Reset(nil)
	zippers.Put(z)
}

// takesGzip reports whether a client accepts gzip.
func takesGzip(accepts []string) bool {
	for _, line := range accepts {
		for coding := range strings.SplitSeq(line, ",") {
			name, rest, _ := strings.Cut(coding, ";")
			if name = strings.TrimSpace(name); !strings.EqualFold(name, "gzip") && name != "*" {
				continue
			}
			weight, ok := strings.CutPrefix(strings.TrimSpace(rest), "q=")
			if !ok || strings.Trim(weight, "0.") != "" {
				return true
			}
		}
	}
	return false
}
