package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"swarmnode/metainfo"
)

// torrentFileMode is the mode of files that are made to be passed on, less the umask.
const torrentFileMode = 0o666

// torrentName returns the name of the .torrent file for content with the given name.
func torrentName(name string) string {
	const suffix = ".torrent"
	if most := metainfo.ElementBytesMax - len(suffix); len(name) > most {
		name = strings.ToValidUTF8(name[:most], "")
	}
	return name + suffix
}

// deliver writes a .torrent file to the path that the user wants, and prints the path.
func deliver(c *console, t *metainfo.Torrent, path string, force bool) error {
	if path == dash {
		if err := checkDash(c); err != nil {
			return err
		}
		c.text(string(t.Marshal()))
		return nil
	}
	if err := writeTorrent(path, t, force); err != nil {
		return err
	}
	tellTorrent(c, t, path)
	c.result(path)
	return nil
}

// checkDash reports whether a .torrent file can be written to standard output.
func checkDash(c *console) error {
	switch {
	case c.json:
		return usage(c.command, errors.New("--json and a file both want standard output"))
	case !c.raw:
		return usage(c.command,
			errors.New("standard output is a terminal, which a .torrent file could confuse"))
	}
	return nil
}

// checkOutput returns what will keep deliver from writing to path, as far as that is
// known before the long work of hashing.
func checkOutput(c *console, path string, force bool) error {
	if path == dash {
		return checkDash(c)
	}
	folder := filepath.Dir(path)
	if st, err := os.Stat(folder); err != nil {
		return fail(exitDisk, path, fmt.Errorf("writing: %w", plain(err)))
	} else if !st.IsDir() {
		return fail(exitDisk, path, fmt.Errorf("writing: %s is not a folder", folder))
	}
	if err := checkRegular(path); err != nil || force {
		return err
	}
	_, _, err := oldTorrent(path)
	return err
}

// checkRegular checks that path is a regular file or does not exist.
func checkRegular(path string) error {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return fail(exitExists, path, errors.New("is not a regular file"))
	}
	return nil
}

// oldTorrent returns the torrent in the file at path and its bytes, or nil if there is no
// file. Any other file is an error, since it must not be replaced.
func oldTorrent(path string) (*metainfo.Torrent, []byte, error) {
	b, err := readInput(path, metainfo.TorrentBytesMax)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil, nil
	case err != nil && exitCode(err) == exitInput: // too long
		return nil, nil, exists(path)
	case err != nil:
		return nil, nil, err
	}
	t, err := metainfo.ParseTorrent(b)
	if err != nil {
		return nil, nil, exists(path)
	}
	return t, b, nil
}

// exists returns the failure of a file that must not be replaced.
func exists(path string) error {
	return failWithHint(exitExists, path, errors.New("exists already"), "--force")
}

// writeTorrent writes a .torrent file. An existing file is replaced only if it describes
// the same content, or with force; a symbolic link to it stays.
func writeTorrent(path string, t *metainfo.Torrent, force bool) error {
	if err := checkRegular(path); err != nil {
		return err
	}
	b := t.Marshal()
	if !force {
		old, oldBytes, err := oldTorrent(path)
		switch {
		case err != nil:
			return err
		case old == nil:
		case bytes.Equal(oldBytes, b):
			return nil
		case old.Info().Hash() != t.Info().Hash():
			return exists(path)
		}
	}
	target := path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		target = real
	}
	if err := replaceFile(target, b, torrentFileMode); err != nil {
		return fail(exitDisk, path, fmt.Errorf("writing: %w", plain(err)))
	}
	return nil
}
