// Package confine decides whether a folder that somebody names over the network lies within the
// folders that the user has allowed.
//
// It judges where a path leads, and not how it is written: it follows the symbolic links of the
// part that exists. What does not exist yet leads nowhere else. A path that cannot be judged,
// since a folder on the way cannot be looked into, is refused.
//
// The answer holds for the moment in which it is given. Who may put symbolic links into an
// allowed folder on this machine can lead the way elsewhere afterwards; nobody can do that over
// the network, since the node makes no symbolic links.
package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is wrong with a path.
var (
	ErrRelative = errors.New("is not an absolute path")
	ErrForm     = errors.New("contains a NUL or the element \"..\"")
	ErrLong     = errors.New("is too long")
	ErrLinks    = errors.New("has too many symbolic links")
	ErrOutside  = errors.New("is outside of the allowed folders")
)

const (
	pathBytesMax = 4096
	linksMax     = 64
	elementsMax  = 4096 // of a path with its links put in
)

// Check reports, by a nil error, that the folder dir is one of roots or lies below one of them.
// A root that is not an absolute path allows nothing. The error wraps one of the Err of this
// package, or that of the system.
func Check(dir string, roots []string) error {
	if err := form(dir); err != nil {
		return err
	}
	resolved, err := Resolve(dir)
	if err != nil {
		return err
	}
	for _, root := range roots {
		if !filepath.IsAbs(root) {
			continue
		}
		if root, err := Resolve(filepath.Clean(root)); err == nil && Below(resolved, root) {
			return nil
		}
	}
	return fmt.Errorf("%s %w", dir, ErrOutside)
}

// form looks at a path as it is written.
func form(dir string) error {
	switch {
	case len(dir) > pathBytesMax:
		return fmt.Errorf("%.40q... %w", dir, ErrLong)
	case strings.ContainsRune(dir, 0):
		return fmt.Errorf("%q %w", dir, ErrForm)
	case !filepath.IsAbs(dir):
		return fmt.Errorf("%q %w", dir, ErrRelative)
	}
	for _, element := range split(dir) {
		if element == ".." {
			return fmt.Errorf("%q %w", dir, ErrForm)
		}
	}
	return nil
}

// Below reports whether path is root or lies below it, as they are written. Both are clean.
func Below(path, root string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// Resolve returns where an absolute path leads: without symbolic links, also if its last
// elements, or those of a link, do not exist.
func Resolve(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", fmt.Errorf("%q %w", path, ErrRelative)
	}
	links, elements := 0, 0
	at, rest := top(path), split(path)
	for len(rest) > 0 {
		if elements++; elements > elementsMax {
			return "", fmt.Errorf("%.40q... %w", path, ErrLong)
		}
		element := rest[0]
		rest = rest[1:]
		if element == ".." { // of a link; at has no links itself
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, element)
		target, err := follow(next)
		if err != nil {
			return "", err
		}
		if target == "" {
			at = next
			continue
		}
		if links++; links > linksMax {
			return "", fmt.Errorf("%.40q %w", path, ErrLinks)
		}
		if filepath.IsAbs(target) {
			at = top(target)
		}
		rest = append(split(target), rest...)
	}
	return at, nil
}

// follow returns where the symbolic link path leads, and "" for anything else.
func follow(path string) (string, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	case info.Mode().Type()&(fs.ModeSymlink|fs.ModeIrregular) == 0:
		return "", nil
	}
	target, err := os.Readlink(path)
	if err == nil && target == "" {
		err = &fs.PathError{Op: "readlink", Path: path, Err: fs.ErrInvalid}
	}
	return target, err
}

// top returns the root of the file system, with its volume, that an absolute path begins with.
func top(path string) string {
	return filepath.VolumeName(path) + string(filepath.Separator)
}

// split returns the elements of a path, without its volume.
func split(path string) []string {
	path = path[len(filepath.VolumeName(path)):]
	elements := strings.FieldsFunc(path, func(c rune) bool {
		return c < 0x80 && os.IsPathSeparator(uint8(c))
	})
	return slices.DeleteFunc(elements, func(e string) bool { return e == "." })
}
