package daemon

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"swarmnode/metainfo"
)

// smallDiskEnv is set in the process that has mounts of its own.
const smallDiskEnv = "SWARM_TEST_SMALL_STATE"

// onOwnMounts runs a test again in a process that may mount file systems that nobody else sees,
// and reports whether this is that process.
func onOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(smallDiskEnv) != "" {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Skip(err)
		}
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m")
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
	return false
}

// mountSmall mounts an empty file system of some KiB on dir.
func mountSmall(t *testing.T, dir, size string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=700,size="+size); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
}

// fill leaves no room on the file system of a folder, and returns the file that takes it.
func fill(t *testing.T, dir string) string {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; size /= 2 {
		for err = nil; err == nil; {
			_, err = f.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return ballast
}

// link returns a link to a torrent that nobody has.
func link(b byte) AddSpec {
	return AddSpec{Magnet: metainfo.Magnet{V1: hashOf(b), HasV1: true},
		Options: Options{Stopped: true}}
}

// TestStateFolderIsFull: what is there goes on, changes are kept once there is room, what cannot
// be kept is not added, and the log says it once.
func TestStateFolderIsFull(t *testing.T) {
	if !onOwnMounts(t) {
		return
	}
	state, log := t.TempDir(), new(logbook)
	mountSmall(t, state, "1m")
	d := startDaemon(t, testConfig(state, t.TempDir(), log))
	torrent := add(t, d, link(0x11))
	ballast := fill(t, state)
	for _, b := range []byte{0x22, 0x33} {
		_, err := d.Add(t.Context(), link(b))
		if _, ok := errors.AsType[*KeepError](err); !ok || !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("added to a full folder: %v", err)
		}
		if d.Torrent(hashOf(b)) != nil {
			t.Error("what is not kept is listed")
		}
	}
	label := func(o *Options) { o.Labels = []string{"label"} }
	if err := torrent.Set(t.Context(), label); err != nil {
		t.Fatal(err)
	}
	if got := torrent.Options().Labels; len(got) != 1 {
		t.Errorf("labels %v", got)
	}
	if lines := log.lines("cannot be kept"); len(lines) != 1 {
		t.Errorf("the log says %q", lines)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the record is written", torrent.isSaved)
	eventually(t, "a line", func() bool { return len(log.lines("kept again")) == 1 })
	add(t, d, link(0x22))
	fill(t, state)
	if err := torrent.Remove(t.Context(), false); err != nil {
		t.Errorf("removed while the folder is full: %v", err)
	}
	d.Close() // which may not be able to save something else
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	d = startDaemon(t, testConfig(state, t.TempDir(), log))
	if len(d.Torrents()) != 1 || d.Torrent(hashOf(0x22)) == nil {
		t.Errorf("after the restart: %v", d.Torrents())
	}
}

// TestStateFolderIsReadOnly: what is there is listed and runs, nothing can be added, and the log
// says it once. A folder that becomes read-only while the daemon runs is like a full one.
func TestStateFolderIsReadOnly(t *testing.T) {
	if !onOwnMounts(t) {
		return
	}
	state, log := t.TempDir(), new(logbook)
	mountSmall(t, state, "1m")
	from, torrent := makeTorrent(t, "content", 50_000, metainfo.V1)
	d := startDaemon(t, testConfig(state, from, nil))
	add(t, d, AddSpec{Torrent: torrent})
	awaitStatus(t, d.ByID(1), Seeding)
	remount := func(flags uintptr) {
		t.Helper()
		if err := unix.Mount("", state, "", unix.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	closeDaemon(t, d)
	remount(unix.MS_RDONLY)
	d = startDaemon(t, testConfig(state, from, log))
	got := d.ByID(1)
	if got == nil {
		t.Fatal("it is not listed")
	}
	awaitStatus(t, got, Seeding)
	if err := got.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	awaitStatus(t, got, Stopped)
	if _, err := d.Add(t.Context(), link(0x22)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("added to a read-only folder: %v", err)
	}
	if lines := log.lines("torrents are not kept"); len(lines) != 1 {
		t.Errorf("the log says %q", lines)
	}
	d.Close()
	if lines := log.lines("level=WARN"); len(lines) > 2 {
		t.Errorf("%d warnings: %s", len(lines), strings.Join(lines, ""))
	}
	remount(0)
	d = startDaemon(t, testConfig(state, from, log))
	awaitStatus(t, d.ByID(1), Seeding) // it was never written that it is stopped
}
