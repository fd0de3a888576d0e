package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"swarmnode/daemon/web"
)

// The page lies at the root of a server; what it asks for lies below /api/v1 of the same one.
func ExampleHandler() {
	mux := http.NewServeMux()
	mux.Handle("/", web.Handler())
	answer := httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	fmt.Println(answer.Code, answer.Header().Get("Content-Type"))
	// Output: 200 text/html; charset=utf-8
}
