//go:build !unix

package control

import (
	"errors"
	"io/fs"
	"net"
)

// groupID fails: sockets have no groups here.
func groupID(string) (int, error) { return 0, errors.New("this system has no groups for sockets") }

// checkListener returns nil: see socketLogin.
func checkListener(*net.UnixConn) error { return nil }

// checkFolderOwner returns nil: see socketLogin.
func checkFolderOwner(string, fs.FileInfo) error { return nil }

// socketLogin returns the user of the daemon, because the folder of the socket, in the profile
// of the user, lets nobody else in.
func socketLogin(*net.UnixConn, bool) (Identity, *Refusal) {
	return Identity{Name: "owner", Scope: Admin, Owner: true}, nil
}
