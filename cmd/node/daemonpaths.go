package main

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
)

// Where a daemon keeps what: in the folders of its user, or as a service of the system in those
// that systemd gives it (STATE_DIRECTORY and its like).

const (
	// downloadsName is the folder of content in the state folder of a service, and that of a
	// user without a choice of their own.
	downloadsName = "downloads"
	homeDownloads = "Downloads"
	// userDirsBytesMax bounds what is read of user-dirs.dirs.
	userDirsBytesMax = 64 << 10
)

// defaultDownloads returns the folder for content: that of the desktop (xdg-user-dirs), or
// ~/Downloads. A service has one in its state folder.
func defaultDownloads(getenv func(string) (string, bool), state string) string {
	home, _ := getenv("HOME")
	if serviceFolder("STATE_DIRECTORY", getenv) != "" || !filepath.IsAbs(home) {
		return filepath.Join(state, downloadsName)
	}
	base, _ := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(home, ".config")
	}
	if dir := userDir(filepath.Join(base, "user-dirs.dirs"), "XDG_DOWNLOAD_DIR", home); dir != "" {
		return dir
	}
	return filepath.Join(home, homeDownloads)
}

// userDir returns a folder that a file of xdg-user-dirs names, "" if it names none. A line is
// NAME="$HOME/..." or NAME="/...".
func userDir(path, name, home string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() ||
		info.Size() > userDirsBytesMax {
		return ""
	}
	found := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), name+"=")
		if !ok {
			continue
		}
		dir := strings.Trim(value, `"`)
		if rest, ok := strings.CutPrefix(dir, "$HOME"); ok {
			dir = home + rest
		}
		// The home itself stands for a folder that the user does not want.
		if dir = filepath.Clean(dir); filepath.IsAbs(dir) && dir != filepath.Clean(home) {
			found = dir
		}
	}
	return found
}
