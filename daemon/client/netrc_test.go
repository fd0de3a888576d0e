package client

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestParseNetrc(t *testing.T) {
	const file = `# logins
machine other.example login no password no
machine nas
	login ann
	password "secret
	account x
macdef init
machine nas login macro password macro

machine tokens.example password t0ken
machine twice login a password b machine twice login c password d
default login anybody password open
`
	for host, want := range map[string][2]string{
		"nas": {"ann", `"secret`}, "NAS": {"ann", `"secret`}, "tokens.example": {"", "t0ken"},
		"twice": {"a", "b"}, "unknown": {"anybody", "open"},
	} {
		if user, secret := parseNetrc(file, host); user != want[0] || secret != want[1] {
			t.Errorf("%s: %q %q, want %q", host, user, secret, want)
		}
	}
	if user, secret := parseNetrc("machine nas login", "nas"); user != "" || secret != "" {
		t.Errorf("a file that is cut off: %q %q", user, secret)
	}
}

func TestReadNetrc(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "netrc")
	if user, secret, err := ReadNetrc(path, "nas"); err != nil || user != "" || secret != "" {
		t.Errorf("no file: %q %q %v", user, secret, err)
	}
	if err := os.WriteFile(path, []byte("machine nas login a password b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if user, secret, err := ReadNetrc(path, "nas"); err != nil || user != "a" || secret != "b" {
		t.Errorf("%q %q %v", user, secret, err)
	}
	if _, _, err := ReadNetrc(dir, "nas"); err == nil {
		t.Error("a folder is read")
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadNetrc(path, "nas"); err == nil {
		t.Error("a file that others can read is used")
	}
	if _, _, err := ReadNetrc(path, "another"); err != nil {
		t.Errorf("no login is needed of a file that others can read: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, netrcMax+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ReadNetrc(path, "nas"); err == nil {
		t.Error("a file that is too long is read")
	}
}

// A login is text of the file, whatever the file is.
func FuzzParseNetrc(f *testing.F) {
	f.Add("machine nas login a password b", "nas")
	f.Add("default\nmacdef x\n\nmachine nas password", "nas")
	f.Fuzz(func(t *testing.T, file, host string) {
		user, secret := parseNetrc(file, host)
		if len(user)+len(secret) > len(file) {
			t.Errorf("%q %q of %q", user, secret, file)
		}
	})
}
