//go:build unix

package conffile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A pipe is refused, and nobody waits for its writer. A file that its reader must not read is a
// mistake, and so is a link that leads nowhere or to itself.
func TestReadSpecial(t *testing.T) {
	dir := t.TempDir()
	pipe, secret := filepath.Join(dir, "pipe"), filepath.Join(dir, "secret")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(secret, nil, 0); err != nil {
		t.Fatal(err)
	}
	nowhere, loop := filepath.Join(dir, "nowhere"), filepath.Join(dir, "loop")
	for link, target := range map[string]string{nowhere: "none", loop: "loop"} {
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]error{pipe: ErrNotRegular, secret: fs.ErrPermission,
		nowhere: fs.ErrNotExist, loop: syscall.ELOOP, filepath.Join(pipe, "x"): syscall.ENOTDIR} {
		if path == secret && os.Geteuid() == 0 {
			continue // root reads everything
		}
		if _, err := Read(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}
