package storage

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"

	"swarmnode/metainfo"
)

// probeName has what some file systems refuse or change: the characters that FAT,
// NTFS and SMB keep for themselves, an upper-case letter, one that has two normal
// forms, and a blank and a dot at the end.
const probeName = "Aa\u00c9 :*?\"<>|\\ . "

// otherSpellings are names that mean probeName to some file systems.
var otherSpellings = []string{strings.ToLower(probeName),
	strings.Replace(probeName, "\u00c9", "E\u0301", 1)}

// names makes a file with an odd name, and looks whether the file has that name
// and no other. The type of the file system would say less: the names also depend on
// how it is mounted, and on the folder.
func (d *osDisk) names() metainfo.NameRule {
	d.probing.Do(func() { d.rule = d.probe() })
	return d.rule
}

func (d *osDisk) probe() metainfo.NameRule {
	folder := fmt.Sprintf(".node-%016x", rand.Uint64())
	if d.root.Mkdir(folder, 0o700) != nil {
		return metainfo.NamesNative // nothing can be made, under whatever name
	}
	defer d.root.Remove(folder)
	return ruleOf(func(name, other string) (as string, seen bool) {
		return d.try(folder, name, other)
	})
}

// ruleOf returns the rule for a folder. try makes a file there and returns the name that
// it gets, "" if it cannot be made, and whether it is seen under another name.
func ruleOf(try func(name, other string) (as string, seen bool)) metainfo.NameRule {
	as, _ := try(probeName, "")
	if metainfo.FoldName(as) != metainfo.FoldName(probeName) { // Apple's HFS+ keeps one normal form
		if as, _ := try("a", ""); as == "" { // nor can that be made
			return metainfo.NamesNative
		}
		return metainfo.NamesPortable
	}
	for _, other := range otherSpellings {
		if _, seen := try(probeName, other); seen {
			return metainfo.NamesUncased
		}
	}
	return metainfo.NamesNative
}

// try makes a file, for ruleOf, and removes it.
func (d *osDisk) try(folder, name, other string) (as string, seen bool) {
	name = folder + "/" + name
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", false
	}
	f.Close()
	defer d.root.Remove(name)
	entries, err := fs.ReadDir(d.root.FS(), folder)
	if err != nil || len(entries) != 1 {
		return "", false
	}
	if other != "" {
		_, err = d.root.Lstat(folder + "/" + other)
		seen = err == nil
	}
	return entries[0].Name(), seen
}
