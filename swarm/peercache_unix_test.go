//go:build unix

package swarm

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"swarmnode/swarm/statefile"
)

// What somebody else has put in the place of a record of peers is neither followed
// nor waited for, and the next record takes its place.
func TestSavedFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("victim"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, plant := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink(victim, path) },
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"long": func(path string) error {
			return os.WriteFile(path, make([]byte, savedBytesMax+1), 0o600)
		},
	} {
		path := filepath.Join(dir, name+peersSuffix)
		if err := errors.Join(plant(path), plant(path+statefile.TemporarySuffix)); err != nil {
			t.Fatal(err)
		}
		if doc, err := readSaved(path); err == nil {
			t.Errorf("%s: read %q", name, doc)
		}
		if err := writeSaved(path, []byte("record")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if doc, err := readSaved(path); err != nil || string(doc) != "record" {
			t.Errorf("%s: then %q, %v", name, doc, err)
		}
	}
	if doc, err := os.ReadFile(victim); err != nil || string(doc) != "victim" {
		t.Errorf("what a link leads to: %q, %v", doc, err)
	}
	if _, err := readSaved(dir); !errors.Is(err, statefile.ErrSpecial) {
		t.Errorf("a folder: %v", err)
	}
}
