package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// stateFolder returns the folder for what a node remembers between runs, "" for nothing. It
// makes the folder, which only its owner can read. A folder that the user named has to work.
// If the default folder cannot be made, stateFolder warns, and nothing is kept.
func stateFolder(c *console, name string, ephemeral bool) (string, error) {
	if ephemeral {
		return "", nil
	}
	path := name
	var err error
	if path == "" {
		path, err = defaultStateDir()
	}
	if err == nil {
		err = os.MkdirAll(path, 0o700)
	}
	if err == nil {
		return path, nil
	}
	if name != "" {
		return "", stateFailure(name, err)
	}
	c.warn("nothing will be remembered: state folder: %v", err)
	return "", nil
}

// stateFailure returns the failure of a state folder that the user named.
func stateFailure(name string, err error) error {
	return failWithHint(exitDisk, "state folder "+name, err, "another --state-dir, or --ephemeral")
}

// defaultStateDir follows the XDG base directories. Without them, the folder that systemd gives a
// service counts.
func defaultStateDir() (string, error) {
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "swarmnode"), nil
	}
	if folder := serviceFolder("STATE_DIRECTORY", os.LookupEnv); folder != "" {
		return folder, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "swarmnode"), nil
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
