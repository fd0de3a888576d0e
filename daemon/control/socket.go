package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"
)

const (
	// socketName is the name of the socket in a folder of ours.
	socketName = "swarmnode/ctl.sock"
	// systemSocket is the socket of a daemon of the whole system.
	systemSocket = "/run/swarmnode/ctl.sock"
	// socketPathMax is what all systems take, in bytes.
	socketPathMax = 103
	// knockTime bounds the attempt to reach the daemon that may still have a socket.
	knockTime = 5 * time.Second
)

// DefaultSocket returns the path of the socket of a daemon that is told none: in the folder of
// the service manager, in that of the user's session, in that of the system for root, or in
// a folder for temporary files.
func DefaultSocket() string {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); filepath.IsAbs(dir) {
		return filepath.Join(dir, filepath.Base(socketName))
	}
	if os.Geteuid() == 0 && os.Getenv("XDG_RUNTIME_DIR") == "" {
		return systemSocket
	}
	return userSocket()
}

// Sockets returns the paths at which a program finds the daemon, the best first: that of the
// user, and that of the system.
func Sockets() []string {
	if runtime.GOOS == "windows" {
		return []string{userSocket()}
	}
	return []string{userSocket(), systemSocket}
}

// userSocket returns the path of the socket of a daemon of this user.
func userSocket() string {
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, socketName)
	}
	if runtime.GOOS == "windows" {
		if dir, err := os.UserCacheDir(); err == nil {
			return filepath.Join(dir, filepath.FromSlash(socketName))
		}
	}
	return filepath.Join(os.TempDir(), "swarmnode-"+strconv.Itoa(os.Geteuid()),
		filepath.Base(socketName))
}

// A SocketError says why a Unix socket cannot be listened on.
type SocketError struct {
	Path string
	Err  error
}

func (e *SocketError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }

// Unwrap returns the cause.
func (e *SocketError) Unwrap() error { return e.Err }

// ErrInUse says that another daemon answers on a socket.
var ErrInUse = errors.New("another daemon listens here")

// A socket is a listening Unix socket.
type socket struct {
	listener *net.UnixListener
	path     string
	made     os.FileInfo
}

// listenUnix listens at path. The socket gets its permissions before it gets its name, so that
// nobody else can connect in between. group may be empty; otherwise its members may connect.
func listenUnix(ctx context.Context, path, group string) (*socket, error) {
	fail := func(err error) (*socket, error) {
		if inner, ok := errors.AsType[*fs.PathError](err); ok && inner.Path == path {
			err = inner.Err
		}
		return nil, &SocketError{path, err}
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return fail(err)
	}
	if len(path) > socketPathMax {
		return fail(fmt.Errorf("the path of a socket has at most %d bytes", socketPathMax))
	}
	gid := -1
	if group != "" {
		if gid, err = groupID(group); err != nil {
			return fail(err)
		}
	}
	if err := makeSocketDir(filepath.Dir(path), gid); err != nil {
		return fail(err)
	}
	if err := vacant(ctx, path); err != nil {
		return fail(err)
	}
	fresh := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%06x", rand.Uint32N(1<<24)))
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: fresh, Net: "unix"})
	if err != nil {
		return fail(err)
	}
	l.SetUnlinkOnClose(false)
	s := &socket{listener: l, path: path}
	if err := s.name(fresh, gid); err != nil {
		l.Close()
		os.Remove(fresh)
		return fail(err)
	}
	return s, nil
}

// name gives the socket its permissions, and then its name in the place of fresh.
func (s *socket) name(fresh string, gid int) (err error) {
	mode := fs.FileMode(0o600)
	if gid >= 0 {
		mode = 0o660
		if err := os.Chown(fresh, -1, gid); err != nil {
			return err
		}
	}
	if err := os.Chmod(fresh, mode); err != nil {
		return err
	}
	if s.made, err = os.Lstat(fresh); err != nil {
		return err
	}
	return os.Rename(fresh, s.path)
}

// close ends listening and removes the socket, unless another daemon has put its own in the
// place.
func (s *socket) close() {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.made) {
		os.Remove(s.path)
	}
	s.listener.Close()
}

// makeSocketDir makes the folder of a socket for us alone, or for the group gid as well. One
// that is there may not be one in which others could put another socket in the place.
func makeSocketDir(dir string, gid int) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if gid < 0 {
			return nil
		}
		if err := os.Chown(dir, -1, gid); err != nil {
			return err
		}
		return os.Chmod(dir, 0o710)
	}
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o002 != 0 &&
		info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("everybody can write to the folder %s", dir)
	}
	return checkFolderOwner(dir, info)
}

// ErrForeign says that another user listens on a socket.
var ErrForeign = errors.New("a program of another user listens here")

// CheckListener returns ErrForeign if c is a connection to the socket of the user's own daemon,
// but another user listens there. Anybody can make the folder of that socket while it lies in
// the one for temporary files. At other paths everybody may listen: root alone can write where
// the socket of the system is, and the rest is the choice of the user.
func CheckListener(path string, c net.Conn) error {
	local, ok := c.(*net.UnixConn)
	if !ok || path != userSocket() {
		return nil
	}
	return checkListener(local)
}

// vacant makes sure that nobody listens at path. It removes nothing: a socket of a daemon that
// is gone gives way to the new one.
func vacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// Windows shows a socket as an irregular file.
	if info.Mode()&(fs.ModeSocket|fs.ModeIrregular) == 0 {
		return errors.New("something else than a socket lies here")
	}
	dialer := net.Dialer{Timeout: knockTime}
	c, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		c.Close()
		return ErrInUse
	}
	if os.IsTimeout(err) || ctx.Err() != nil { // its queue is full
		return ErrInUse
	}
	return nil
}
