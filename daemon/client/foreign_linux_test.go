package client

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"swarmnode/daemon/control"
)

// nobody is the number of a user without rights.
const nobody = 65534

// listenAs listens on a socket as another user. The system remembers who has begun to listen.
func listenAs(t *testing.T, uid int, path string) net.Listener {
	t.Helper()
	type result struct {
		l   net.Listener
		err error
	}
	done := make(chan result)
	go func() {
		// The thread has another user from here on, and ends with the goroutine.
		runtime.LockOSThread()
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), uintptr(uid),
			^uintptr(0)); errno != 0 {
			done <- result{nil, errno}
			return
		}
		l, err := net.Listen("unix", path)
		done <- result{l, err}
	}()
	r := <-done
	if r.err != nil {
		t.Skip("no socket of another user: ", r.err)
	}
	t.Cleanup(func() { r.l.Close() })
	return r.l
}

// A socket that another user has put where that of this user would be is not asked. One that the
// user names is.
func TestSocketOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can be another user")
	}
	folder, err := os.MkdirTemp("", "run")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	t.Setenv("XDG_RUNTIME_DIR", folder)
	path := filepath.Join(folder, "swarmnode", "ctl.sock")
	for _, dir := range []string{folder, filepath.Dir(path)} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o777)); err != nil {
			t.Fatal(err)
		}
	}
	listenAs(t, nobody, path)
	if got, ok := FindSocket(t.Context()); got == path && ok {
		t.Error("the socket of another user is that of the daemon")
	}
	c, err := New(Config{Socket: path})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.List(t.Context(), Query{}); !errors.Is(err, control.ErrForeign) {
		t.Errorf("a request to it: %v", err)
	}
	named := filepath.Join(folder, "named")
	listenAs(t, nobody, named)
	conn, err := dialSocket(named)(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
