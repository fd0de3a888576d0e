package transmission

import (
	"path/filepath"

	"swarmnode/daemon"
)

// folderSettings are about folders. They can lead nowhere outside of the folders that clients
// may use.
var folderSettings = []setting{
	settable("download-dir", "download_dir",
		func(w *writer, s *session) { w.text(s.all.Dir) },
		func(c *call, v value) (func(s *daemon.Settings), error) {
			dir, err := c.folderIn(v, "download directory path is not absolute")
			if err != nil || dir == "" {
				return nil, err
			}
			return func(s *daemon.Settings) { s.Dir = dir }, nil
		}),
	fixed("download-dir-free-space", "download_dir_free_space",
		func(w *writer, s *session) {
			free, _, err := s.h.space(s.all.Dir)
			if err != nil {
				free = -1
			}
			w.int(free)
		}),
	settable("incomplete-dir", "incomplete_dir",
		func(w *writer, s *session) { w.text(incompleteDir(&s.all)) },
		func(c *call, v value) (func(s *daemon.Settings), error) {
			dir, err := c.folderIn(v, "incomplete torrents directory path is not absolute")
			if err != nil || dir == "" {
				return nil, err
			}
			return func(s *daemon.Settings) {
				if s.IncompleteDir != "" {
					s.IncompleteDir = dir
				}
				setNote(&s.Notes, "incomplete_dir", dir)
			}, nil
		}),
	settable("incomplete-dir-enabled", "incomplete_dir_enabled",
		func(w *writer, s *session) { w.bool(s.all.IncompleteDir != "") },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			on, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				dir := incompleteDir(s)
				setNote(&s.Notes, "incomplete_dir", dir)
				if !on {
					dir = ""
				}
				s.IncompleteDir = dir
			}, nil
		}),
	fixed("config-dir", "config_dir",
		func(w *writer, s *session) { w.text(s.h.cfg.Node.StateDir) }),
	// Files have another name until they are whole, always.
	fixed("rename-partial-files", "rename_partial_files",
		func(w *writer, _ *session) { w.bool(true) }),
	noteTruth("trash-original-torrent-files", "trash_original_torrent_files"),
}

// incompleteDir returns the folder for unfinished content: the one in use, or else the one
// that was used last.
func incompleteDir(s *daemon.Settings) string {
	if s.IncompleteDir != "" {
		return s.IncompleteDir
	}
	if dir := s.Notes[notePrefix+"incomplete_dir"]; dir != "" {
		return dir
	}
	return filepath.Join(s.Dir, "incomplete")
}

// folderIn returns the folder that v names, "" if it is no text or empty.
func (c *call) folderIn(v value, missing string) (string, error) {
	path, _ := v.text()
	if path == "" {
		return "", nil
	}
	return c.folder(path, missing)
}
