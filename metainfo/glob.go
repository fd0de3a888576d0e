package metainfo

import (
	"fmt"
	"path"
	"strings"
)

// MatchGlob reports whether the pattern matches a path with slashes. A pattern
// without a slash is compared with the last element of the path, any other pattern
// with the whole path. In each element "*", "?" and "[a-z]" have the meaning
// of path.Match; "**" as an element stands for any number of elements. A
// malformed pattern matches nothing; see CheckGlob.
func MatchGlob(pattern, name string) bool {
	if !strings.Contains(pattern, "/") {
		ok, err := path.Match(pattern, path.Base(name))
		return ok && err == nil
	}
	return matchElements(strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(name, "/"))
}

// CheckGlob returns an error for patterns that MatchGlob cannot use.
func CheckGlob(pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" ||
		len(pattern) > globBytesMax {
		return fmt.Errorf("pattern %.60q is malformed", pattern)
	}
	return nil
}

// globBytesMax bounds a pattern: no path is longer.
const globBytesMax = PathBytesMax

// matchElements compares from the left. Each "**" is tried greedily but only
// the latest is tried again, as that suffices for "any number of elements":
// the work is bounded by the product of both lengths.
func matchElements(pattern, name []string) bool {
	p, n := 0, 0
	retryP, retryN := -1, 0
	for n < len(name) || p < len(pattern) {
		switch {
		case p < len(pattern) && pattern[p] == "**":
			retryP, retryN = p, n
			p++
			continue
		case p < len(pattern) && n < len(name):
			if ok, err := path.Match(pattern[p], name[n]); ok && err == nil {
				p++
				n++
				continue
			}
		}
		if retryP < 0 || retryN >= len(name) {
			return false
		}
		retryN++
		p, n = retryP+1, retryN
	}
	return true
}

func matchAny(patterns []string, name string) bool {
	for _, pattern := range patterns {
		if MatchGlob(pattern, name) {
			return true
		}
	}
	return false
}

// matchBelow reports whether a pattern matches name or a folder that it lies in.
func matchBelow(patterns []string, name string) bool {
	for {
		if matchAny(patterns, name) {
			return true
		}
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return false
		}
		name = name[:i]
	}
}
