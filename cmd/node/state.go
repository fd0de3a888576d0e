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

// A stateDir is the folder that keeps what a node remembers between runs: its
// port and the DHT nodes it has met. Several processes may share it: every
// file is replaced whole. The zero value keeps nothing.
type stateDir struct {
	path     string
	readOnly bool // nothing can be written there
}

// stateFileMax bounds what is read back, in bytes: far more than full tables
// of both families need.
const stateFileMax = 4 << 20

// openState makes the state folder, which only its owner can read. Without a
// folder by name, one that cannot be made is a warning and nothing is kept. One that
// is there and cannot be written to is a warning, too, and is only read. So is one
// where other users could plant what this node believes.
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

// keeps reports whether anything is remembered.
func (s stateDir) keeps() bool { return s.path != "" }

// read returns a file that write has written; an error that is
// os.ErrNotExist if there is none.
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
		return 0 // not ours; another is picked and written
	}
	return uint16(n)
}

func (s stateDir) savePort(port uint16) error {
	return s.write(portFile, []byte(strconv.Itoa(int(port))+"\n"))
}

// replaceFile writes b to a new file beside path, and puts it in path's place
// once it is safely on disk: whoever reads path sees the old or the new
// content whole, whenever the process or the machine dies. The mode is that of
// the old file, or that which is given, less the umask.
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
