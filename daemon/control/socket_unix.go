//go:build unix

package control

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"strconv"
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
