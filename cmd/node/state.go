package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"swarmnode/swarm/statefile"
	"swarmnode/swarm/storage"
)

// A stateDir is the folder for what a node remembers between runs: its port and the DHT
// nodes it has met. Several processes may share it, because every file is replaced whole.
// The zero value keeps nothing.
type stateDir struct {
	path     string
	readOnly bool // nothing can be written there
}

// stateFileMax bounds what is read back, in bytes. It is far more than full tables of
// both families need.
const stateFileMax = 4 << 20

// openState makes the state folder, which only its owner can read. A folder that the user
// named has to work. If the default folder cannot be made, openState warns and keeps
// nothing; an existing folder that cannot be written to is only read, with a warning. It
// also warns if other users could plant files there.
func openState(c *console, name string, ephemeral bool) (stateDir, error) {
	if ephemeral {
		return stateDir{}, nil
	}
	path := name
	var err error
	if path == "" {
		path, err = defaultStateDir()
	}
	if err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	switch {
	case err == nil:
		s := stateDir{path: path}
		if err := statefile.Writable(path); storage.IsDenied(err) {
			s.readOnly = true
			c.warn("nothing will be remembered: state folder %s: %v", path, plain(err))
		}
		s.checkOwner(c)
		return s, nil
	case name != "":
		return stateDir{}, failWithHint(exitDisk, "state folder "+name,
			err, "another --state-dir, or --ephemeral")
	}
	c.warn("nothing will be remembered: state folder: %v", err)
	return stateDir{}, nil
}

// checkOwner warns if other users can write to the state folder.
func (s stateDir) checkOwner(c *console) {
	for _, folder := range []string{s.path, filepath.Join(s.path, resumeFolder)} {
		if statefile.Shared(folder) {
			c.warn("other users can write to the state folder %s, and so mislead this node "+
				"(try: chmod go-w)", folder)
			return
		}
	}
}

// defaultStateDir follows the XDG base directories.
func defaultStateDir() (string, error) {
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "swarmnode"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "swarmnode"), nil
}

// keeps reports whether the node remembers anything.
func (s stateDir) keeps() bool { return s.path != "" }

// read returns a file that write has written; the error is os.ErrNotExist if there is
// none.
func (s stateDir) read(name string) ([]byte, error) {
	if !s.keeps() {
		return nil, os.ErrNotExist
	}
	b, _, err := statefile.Read(filepath.Join(s.path, name), stateFileMax)
	return b, err
}

// write replaces a file as a whole.
func (s stateDir) write(name string, b []byte) error {
	if !s.keeps() || s.readOnly {
		return nil
	}
	return statefile.Replace(filepath.Join(s.path, name), b, true)
}

const portFile = "port"

// port returns the remembered port, 0 if there is none.
func (s stateDir) port() uint16 {
	b, err := s.read(portFile)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 16)
	if err != nil || n < portMin {
		return 0 // not ours: another port is picked and written
	}
	return uint16(n)
}

func (s stateDir) savePort(port uint16) error {
	return s.write(portFile, []byte(strconv.Itoa(int(port))+"\n"))
}

// replaceFile writes b to a new file beside path, and renames it to path once it is
// safely on disk. A reader of path sees either the old or the new content whole, whenever
// the process or the machine dies. The mode is that of the old file, or else the given
// one less the umask.
func replaceFile(path string, b []byte, mode os.FileMode) (err error) {
	old, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	beside := fmt.Sprintf(".swarmnode.%016x", rand.Uint64())
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), beside),
		os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = f.Write(b)
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
