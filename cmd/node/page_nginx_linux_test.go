package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"swarmnode/internal/realclient"
)

// proxyName is the name of the server in docs/web.md.
const proxyName = "torrents.example.org"

// serverOfDocs returns the configuration of docs/web.md for a daemon, with a socket to listen on
// and a certificate of the test.
func serverOfDocs(t *testing.T, dir, upstream string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/web.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(text)
	if found == nil {
		t.Fatal("docs/web.md has no configuration of nginx")
	}
	server := string(found[1])
	for old, now := range map[string]string{
		"listen 443 ssl":           "listen unix:" + dir + "/tls ssl",
		"/etc/ssl/torrents.pem":    dir + "/cert.pem",
		"/etc/ssl/torrents.key":    dir + "/key.pem",
		"http://127.0.0.1:8080;":   "http://" + upstream + ";",
		"server_name " + proxyName: "server_name " + proxyName,
	} {
		if strings.Count(server, old) != 1 {
			t.Fatalf("docs/web.md has no %q", old)
		}
		server = strings.Replace(server, old, now, 1)
	}
	return server
}

// certify writes a certificate for the name of the server and its key, and returns who trusts it.
func certify(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{proxyName},
		Subject: pkix.Name{CommonName: proxyName}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: cert},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return pool
}

// startNginx starts nginx with the configuration of docs/web.md before a daemon, and returns a
// browser of its page: a client that keeps cookies.
func startNginx(t *testing.T, upstream string) *http.Client {
	t.Helper()
	nginx := realclient.RequireProgram(t, "nginx")
	dir, err := os.MkdirTemp("", "n") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	trusted := certify(t, dir)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
	access_log off; client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
%[2]s}
`, dir, serverOfDocs(t, dir, upstream))
	if err := os.WriteFile(dir+"/nginx.conf", []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nginx, "-p", dir, "-e", dir+"/error.log", "-c", dir+"/nginx.conf")
	var errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &errs, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", dir+"/tls")
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		conn, err := dial(t.Context(), "", "")
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) || len(ended) > 0 {
			log, _ := os.ReadFile(dir + "/error.log")
			t.Fatalf("nginx does not listen: %v; %s; %s", err, errs.String(), log)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{
		DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: trusted}}}
}

// askAs sends a request as a page of the proxy does.
func askAs(t *testing.T, browser *http.Client, method, path, body string,
	header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "https://"+proxyName+path,
		strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	if method == http.MethodPost {
		r.Header.Set("Origin", "https://"+proxyName)
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := browser.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// TestPageBehindNginx logs in, follows the events and fetches parts of a file through nginx with
// the configuration of docs/web.md.
func TestPageBehindNginx(t *testing.T) {
	t.Parallel()
	realclient.RequireProgram(t, "nginx")
	dir := t.TempDir()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
	if err := os.WriteFile(dir+"/film.mkv", content, 0o644); err != nil {
		t.Fatal(err)
	}
	passwords := filepath.Join(dir, "passwords")
	set := exec.CommandContext(t.Context(), "node", "password", "--password-file", passwords, "me")
	set.Stdin = strings.NewReader("open sesame\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	d := startDaemon(t, "--http", "127.0.0.1:0", "--password-file", passwords)
	seed := exec.CommandContext(t.Context(), "node", "seed", "--detach", "--socket",
		d.start.Socket, dir+"/film.mkv")
	if out, err := seed.CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	browser := startNginx(t, d.start.HTTP[0])
	if a := askAs(t, browser, "GET", "/", ""); a.StatusCode != http.StatusOK ||
		a.Header.Get("Content-Security-Policy") == "" {
		t.Error("the page: ", a.Status, a.Header)
	}
	if a := askAs(t, browser, "GET", "/api/v1/session", ""); a.StatusCode !=
		http.StatusUnauthorized {
		t.Error("without a login: ", a.Status)
	}
	login := askAs(t, browser, "POST", "/api/v1/login", `{"name":"me","password":"open sesame"}`)
	if cookies := login.Cookies(); login.StatusCode != http.StatusNoContent ||
		len(cookies) != 1 || !cookies[0].Secure || !cookies[0].HttpOnly {
		t.Fatal("login: ", login.Status, cookies)
	}
	events := askAs(t, browser, "GET", "/api/v1/events?delta=true", "")
	lines := bufio.NewScanner(events.Body)
	lines.Buffer(nil, 1<<20)
	for found := false; !found; {
		if !lines.Scan() {
			t.Fatal("no event of the torrent: ", events.Status, lines.Err())
		}
		found = strings.Contains(lines.Text(), "film.mkv")
	}
	var list struct{ Torrents []struct{ Hash string } }
	decodeBody(t, askAs(t, browser, "GET", "/api/v1/torrents", ""), &list)
	part := askAs(t, browser, "GET", "/files/"+list.Torrents[0].Hash+"/0/film.mkv", "", "Range",
		"bytes=100001-100010")
	body, err := io.ReadAll(part.Body)
	if err != nil || part.StatusCode != http.StatusPartialContent ||
		!bytes.Equal(body, content[100001:100011]) {
		t.Errorf("a part: %v, %s, %q", err, part.Status, body)
	}
	playlist := askAs(t, browser, "GET", "/files/"+list.Torrents[0].Hash+"/list.m3u", "")
	body, err = io.ReadAll(playlist.Body)
	if err != nil || !bytes.Contains(body, []byte("\nhttps://"+proxyName+"/files/")) {
		t.Errorf("the playlist: %v, %s, %s", err, playlist.Status, body)
	}
}

// decodeBody reads the body of an answer as JSON.
func decodeBody(t *testing.T, a *http.Response, into any) {
	t.Helper()
	if err := json.NewDecoder(a.Body).Decode(into); err != nil {
		t.Fatal(a.Status, err)
	}
}
