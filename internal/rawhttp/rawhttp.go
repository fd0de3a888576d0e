// Package rawhttp serves the same bytes to everybody, for tests of answers that a
// library for HTTP would not write.
package rawhttp

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Serve answers each request with the same bytes, whatever they are, for the length
// of the test. With hold it keeps the connections open behind them. It returns the
// URL of the server, without a path.
func Serve(t testing.TB, answer []byte, hold bool) string {
	t.Helper()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return // the server is closing
		}
		defer conn.Close()
		if _, err := conn.Write(answer); err == nil && hold {
			<-release
		}
	}))
	t.Cleanup(func() { close(release); server.Close() })
	return server.URL
}
