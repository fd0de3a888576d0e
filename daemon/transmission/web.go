package transmission

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
)

// newWeb returns a handler for the files of a web client. It serves nothing outside of the
// folder, and shows no lists of files.
func newWeb(dir string) (http.Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the web client: %w", err)
	}
	files := root.FS()
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/")
		if strings.HasSuffix(r.URL.Path, "/") {
			name = path.Join(name, "index.html")
		}
		if info, err := fs.Stat(files, name); err != nil || !info.Mode().IsRegular() {
			fail(w, http.StatusNotFound, "the web client has no such file")
			return
		}
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		server.ServeHTTP(w, r)
	}), nil
}
