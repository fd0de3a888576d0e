package storage

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/metainfo"
)

const (
	// TidyAge is how long a record has not changed before Tidy looks whether
	// its content is gone. Content on a disk that is not plugged in seems gone,
	// too; what is forgotten of it costs no more than hashing it once.
	TidyAge = 90 * 24 * time.Hour
	// tidyMax bounds how many torrents Tidy looks at, chosen at random, so that
	// it takes some milliseconds however full the folder is. The next calls come
	// to the others.
	tidyMax = 64
)

// Tidy removes what Stores have left in the folder stateDir about content that
// no longer exists, and has not existed for long: records that are older than
// TidyAge at the time now, with the side files that belong to them, and side
// files without a record. others are the ends of the names of files that
// somebody else keeps about torrents there, after the info-hash; they go, too,
// when they are as old. It returns how many torrents it forgot. Stores that are
// open keep what they need. A folder that does not exist is tidy.
func Tidy(stateDir string, now time.Time, others ...string) (forgotten int, err error) {
	entries, err := os.ReadDir(stateDir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var errs []error
	if err != nil {
		errs = append(errs, err) // some of them may have been read
	}
	old := make(map[metainfo.Hash]bool) // whether every file of the torrent is old
	for _, entry := range entries {
		hash, ok := stateName(entry.Name(), others)
		if !ok {
			continue
		}
		info, err := entry.Info()
		was, seen := old[hash]
		old[hash] = (was || !seen) && err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > TidyAge
	}
	hashes := make([]metainfo.Hash, 0, len(old))
	for hash, is := range old {
		if is {
			hashes = append(hashes, hash)
		}
	}
	rand.Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
	for _, hash := range hashes[:min(len(hashes), tidyMax)] {
		if !abandoned(stateDir, hash) {
			continue
		}
		if err := Forget(stateDir, hash, others...); err != nil {
			errs = append(errs, err)
			continue
		}
		forgotten++
	}
	return forgotten, errors.Join(errs...)
}

// stateName returns the torrent that a file in a folder for state belongs to.
func stateName(name string, others []string) (hash metainfo.Hash, ok bool) {
	for _, suffix := range append([]string{ResumeSuffix, ResumeSuffix + recordTemporary, sideSuffix}, others...) {
		if text, is := strings.CutSuffix(name, suffix); is {
			hash, err := metainfo.ParseHash(text)
			return hash, err == nil && hash.String() == text
		}
	}
	return hash, false
}

// abandoned tells whether what is left of a torrent is of no use: its content is
// gone, or nothing says where that was, and no Store uses the side file.
func abandoned(stateDir string, hash metainfo.Hash) bool {
	doc, _, err := newRecord(stateDir, hash).read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false
	default:
		r, err := ParseResume(doc)
		if errors.Is(err, ErrResumeVersion) {
			return false // another node may read it
		}
		if err == nil && !(gonePath(r.Path) && gonePath(r.Path+PartSuffix)) {
			return false
		}
	}
	f, err := os.OpenFile(filepath.Join(stateDir, hash.String()+sideSuffix), os.O_RDONLY|openFlags, 0)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return lockFile(f) == nil
}

func gonePath(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
