package storage

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"swarmnode/metainfo"
	"swarmnode/swarm/statefile"
)

const (
	// TidyAge is how long a record must have stayed unchanged before Tidy looks
	// whether its content is gone. Content on a disk that is not plugged in seems gone,
	// too; to forget it costs no more than hashing it once.
	TidyAge = 90 * 24 * time.Hour
	// tidyMax bounds how many torrents Tidy looks at, chosen at random, so that
	// it takes some milliseconds however full the folder is. Later calls look at the
	// others.
	tidyMax = 64
)

// Tidy removes the files that Stores have left in the folder stateDir about content that
// has been gone for long: records that are older than TidyAge at the time now, with
// their partfiles, and partfiles without a record. others are the suffixes of files that
// other packages keep about torrents there, after the info-hash; they are removed, too,
// when they are as old. Tidy returns how many torrents it forgot. Stores that are
// open keep their files. A folder that does not exist is tidy.
func Tidy(stateDir string, now time.Time, others ...string) (forgotten int, err error) {
	all, err := stateFiles(stateDir, others)
	var errs []error
	if err != nil {
		errs = append(errs, err) // some of them may have been read
	}
	var stems []string
	for stem, entries := range all {
		old := true
		for _, entry := range entries {
			info, err := entry.Info()
			old = old && err == nil && info.Mode().IsRegular() && now.Sub(info.ModTime()) > TidyAge
		}
		if old {
			stems = append(stems, stem)
		}
	}
	rand.Shuffle(len(stems), func(i, j int) { stems[i], stems[j] = stems[j], stems[i] })
	for _, stem := range stems[:min(len(stems), tidyMax)] {
		if !abandoned(stateDir, stem) {
			continue
		}
		if err := removeEntries(stateDir, all[stem]); err != nil {
			errs = append(errs, err)
			continue
		}
		forgotten++
	}
	return forgotten, errors.Join(errs...)
}

// Forget removes the files that Stores of the torrent hash have left in the folder
// stateDir, wherever its content lies: records, partfiles, and files whose names
// end in others. It is for a torrent that is given up for good, and must not be
// called while a Store of it is open. Missing files are no error.
func Forget(stateDir string, hash metainfo.Hash, others ...string) error {
	all, err := stateFiles(stateDir, others)
	errs := []error{err}
	for stem, entries := range all {
		if strings.HasPrefix(stem, hash.String()) {
			errs = append(errs, removeEntries(stateDir, entries))
		}
	}
	return errors.Join(errs...)
}

func removeEntries(dir string, entries []fs.DirEntry) error {
	var errs []error
	for _, entry := range entries {
		name := filepath.Join(dir, entry.Name())
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, wrap("remove", name, err))
		}
	}
	return errors.Join(errs...)
}

// stateFiles returns the files about torrents in a folder for state, by the stem
// of their names. A folder that does not exist has none.
func stateFiles(dir string, others []string) (map[string][]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	all := make(map[string][]fs.DirEntry)
	for _, entry := range entries {
		if stem, ok := stemOf(entry.Name(), others); ok {
			all[stem] = append(all[stem], entry)
		}
	}
	return all, err
}

// stemOf returns the beginning of the name of a file in a folder for state, which all
// files about the same content share: the info-hash, and as a rule a key for the path. A
// file that a crash has left unfinished has one more suffix, which earlier versions did
// not make unique.
func stemOf(name string, others []string) (stem string, ok bool) {
	stem, suffix, _ := strings.Cut(name, ".")
	if whole, unfinished := strings.CutSuffix(suffix, statefile.TemporarySuffix); unfinished {
		suffix, _, _ = strings.Cut(whole, ".")
	}
	suffix = "." + suffix
	if suffix != ResumeSuffix && suffix != partfileSuffix && suffix != noteSuffix &&
		!slices.Contains(others, suffix) {
		return "", false
	}
	text, key, _ := strings.Cut(stem, "-")
	hash, err := metainfo.ParseHash(text)
	if err != nil || hash.String() != text {
		return "", false
	}
	sum, err := hex.DecodeString(key)
	return stem, err == nil && (len(sum) == stemKeyBytes || len(stem) == len(text))
}

// abandoned reports whether the files with this stem are useless: the content is
// gone, or nothing says where it was, and no Store uses the partfile.
func abandoned(stateDir, stem string) bool {
	doc, _, err := newRecord(stateDir, stem).read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return false
	default:
		r, err := ParseResume(doc)
		if errors.Is(err, ErrResumeVersion) {
			return false // another node may read it
		}
		if err == nil && !contentGone(r) {
			return false
		}
	}
	if note, err := readNote(stateDir, stem); err == nil {
		hash, err := metainfo.ParseHash(strings.SplitN(stem, "-", 2)[0])
		return err == nil && note.isGone(hash)
	}
	f, err := statefile.Open(filepath.Join(stateDir, stem+partfileSuffix))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return lockFile(f, lockWrite) == nil
}

// contentGone reports whether the content that r is about exists under none of the names
// that it may have.
func contentGone(r *Resume) bool {
	for _, name := range contentNames(filepath.Base(r.Path), r.Hash) {
		_, err := os.Lstat(filepath.Join(filepath.Dir(r.Path), name))
		if !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}
