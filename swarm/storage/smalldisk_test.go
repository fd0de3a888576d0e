//go:build linux

package storage

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// smallDiskEnv is set in the process that has mounts of its own.
const smallDiskEnv = "SWARM_TEST_SMALL_DISK"

// A file system that really fills up, and one that really is read-only. The
// test runs itself again where it may mount one that nobody else sees.
func TestSmallDisk(t *testing.T) {
	if os.Getenv(smallDiskEnv) != "" {
		onSmallDisk(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSmallDisk$", "-test.v", "-test.timeout=30s")
	cmd.Env = append(os.Environ(), smallDiskEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Unshareflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(),
			Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(),
			Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("no mounts of our own:", err)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func onSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("tmpfs", dir, "tmpfs", 0, "size=512k")); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	layout, data := makeLayout(t, "x", 64<<10, tfile{"a", 300 << 10, false},
		tfile{"b", 600 << 10, false})
	cfg := Config{Dir: dir, Layout: layout}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 200<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, cfg, data)
	p := 0
	for ; ; p++ {
		got := r.piece(p)
		if got.OK {
			continue
		}
		if len(r.results) > 0 {
			got = <-r.results // of the Verify
		}
		if !IsFull(got.Err) || p < 3 {
			t.Fatalf("piece %d: %+v", p, got)
		}
		break
	}
	if err := r.store.Probe(); !IsFull(err) {
		t.Error("Probe while it is full:", err)
	}
	for len(r.results) > 0 {
		<-r.results
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Probe(); err != nil {
		t.Error("Probe when there is room:", err)
	}
	if got := r.piece(p); !got.OK {
		t.Error("the piece again:", got)
	}
	r.back()

	cfg.Reserve, cfg.Name = true, "z" // a disk that is too small shows at the first byte
	r = newRig(t, cfg, data)
	r.write(r.refs(layout.Pieces() - 1)[0])
	if got := <-r.results; !IsFull(got.Err) {
		t.Error("reserving more than there is:", got)
	}
	r.back()

	moveOntoSmallDisk(t, dir)
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	moveOntoSmallDisk(t, dir)
	cfg.Reserve, cfg.Name = false, ""
	cfg.ReadOnly = true // what is there can be checked
	r = newRig(t, cfg, data)
	have, err := r.store.Check(t.Context(), nil)
	if err != nil || have.Count() < p {
		t.Error("check of read-only content:", have.Count(), err)
	}
	r.back()
	cfg.ReadOnly = false // but not completed
	r = newRig(t, cfg, data)
	if _, err := r.store.Check(t.Context(), nil); !IsDenied(err) || !errors.Is(err, syscall.EROFS) {
		t.Error("check of content to be completed on a read-only disk:", err)
	}
	r.write(r.refs(layout.Pieces() - 1)[0])
	if got := <-r.results; !IsDenied(got.Err) || !errors.Is(got.Err, syscall.EROFS) {
		t.Error("writing to a read-only disk:", got)
	}
	r.back()
	cfg.Name = "y"
	if _, err := tryRig(t, cfg, data); !IsDenied(err) {
		t.Error("opening new content on a read-only disk:", err)
	}
	t.Log("ran on a disk of its own")
}

// moveOntoSmallDisk moves content to a disk on which it has no room, or where nothing can be
// written: it stays where it was, and nothing is left there.
func moveOntoSmallDisk(t *testing.T, dir string) {
	t.Helper()
	layout, data := makeLayout(t, "moved", 64<<10, tfile{"a", 300 << 10, false},
		tfile{"b", 1200 << 10, false})
	before := filesBelow(t, dir)
	for _, known := range []bool{true, false} { // whether the system says how much room there is
		cfg := Config{Dir: t.TempDir(), Layout: layout, Part: true}
		if !known {
			cfg.spaceOf = func(string) (fileSystem, int64, bool) { return fileSystem{}, 0, false }
		}
		r := newRig(t, cfg, data)
		r.all()
		err := r.store.Move(t.Context(), filepath.Join(dir, "new"), nil)
		if !IsFull(err) && !IsDenied(err) {
			t.Error("moved onto a small disk:", err)
		}
		if err := r.store.Finish(); err != nil {
			t.Error(err)
		}
		r.onDisk(cfg.Dir, "moved")
		r.back()
	}
	sameFiles(t, filesBelow(t, dir), before)
	if _, err := os.Lstat(filepath.Join(dir, "new")); err == nil {
		t.Error("the new folder is left")
	}
}
