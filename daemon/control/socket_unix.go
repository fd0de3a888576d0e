//go:build unix

package control

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// groupID returns the number of a group, by its name or number.
func groupID(name string) (int, error) {
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("there is no group %q", name)
	}
	id, err := strconv.ParseUint(g.Gid, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("the group %q has no number", name)
	}
	return int(id), nil
}

// checkListener returns ErrForeign unless whoever listens at the other end of a connection to a
// socket is this user or root, as far as the system says who it is.
func checkListener(c *net.UnixConn) error {
	uid, err := peerUID(c)
	if err == nil && uid != os.Geteuid() && uid != 0 {
		return ErrForeign
	}
	return nil
}

// checkFolderOwner returns an error if a folder belongs to somebody besides this user and root,
// who could put another socket in the place of ours.
func checkFolderOwner(dir string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && int(stat.Uid) != os.Geteuid() && stat.Uid != 0 {
		return fmt.Errorf("the folder %s belongs to another user", dir)
	}
	return nil
}

// socketLogin returns who is at the other end of a connection to the socket. members says that
// a group may connect: the system lets in nobody else, and does not say who is a member.
func socketLogin(c *net.UnixConn, members bool) (Identity, *Refusal) {
	uid, err := peerUID(c)
	if err != nil {
		return Identity{}, refuse(403, "the system does not say who you are: %v", err)
	}
	id := Identity{Name: fmt.Sprintf("uid %d", uid), Scope: Admin}
	switch {
	case uid == os.Geteuid() || uid == 0:
		id.Owner = true
	case !members:
		return Identity{}, refuse(403, "this is the daemon of another user")
	}
	return id, nil
}
