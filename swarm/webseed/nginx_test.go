package webseed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"swarmnode/internal/proc"
	"swarmnode/metainfo"
)

// startNginx serves a folder with the program that most web seeds run, and
// returns its URL. The test is skipped where that is absent, unless clients are
// required.
func startNginx(t *testing.T, dir string) string {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/nginx")
	}
	if err != nil {
		if os.Getenv("SWARM_REQUIRE_CLIENTS") == "1" {
			t.Fatal(err)
		}
		t.Skip("nginx is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	state := t.TempDir()
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	gzip on; gzip_types *;
	server { listen %[2]s; root %[3]s; absolute_redirect off; location /moved/ { if ($request_uri ~ ^/moved/(.*)$) { return 302 /$1; } } }
}`, state, addr, dir)
	file := filepath.Join(state, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := proc.Start(proc.Config{Path: path, Args: []string{"-p", state, "-e", filepath.Join(state, "error.log"), "-c", file}, Stderr: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := http.Get("http://" + addr + "/"); err == nil {
			r.Body.Close()
			return "http://" + addr
		}
		select {
		case <-tick.C:
		case <-p.Done():
			t.Fatalf("nginx ended: %v", p.Wait())
		case <-ctx.Done():
			t.Fatal("nginx does not answer")
		}
	}
}

func TestNginx(t *testing.T) {
	td := makeTorrent(t, metainfo.Hybrid, "the näme", map[string]int{
		"a.txt": 3 << 20, "b/c d%20&+#?.bin": 70_000, "b/empty": 0, "e": 1_000_001,
	})
	base := startNginx(t, td.dir)
	for _, url := range []string{base, base + "/moved/"} {
		c, h, _ := open(t, &td, url)
		refs := td.blocks()
		ask(t, c, refs)
		h.gets(refs)
	}
}
