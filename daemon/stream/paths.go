package stream

import (
	"net/url"
	"strconv"
	"strings"

	"swarmnode/metainfo"
)

const (
	// FilesPath begins the paths of files and playlists.
	FilesPath = "/files/"
	// VisitPath is that of the files of magnet links.
	VisitPath = "/stream"
	// listName is the name of playlists.
	listName = "list.m3u"
)

// A Path is a path of a request, taken apart.
type Path struct {
	Hash  metainfo.Hash
	List  bool // it is that of a playlist
	Index int  // of the file, in the order of the torrent, padding included
}

// Parse takes the path of a file or a playlist apart: /files/HASH/INDEX, which any name may
// follow, or /files/HASH/list.m3u. HASH has 40 hexadecimal digits, or the 64 of a v2 hash.
func Parse(path string) (p Path, ok bool) {
	rest, ok := strings.CutPrefix(path, FilesPath)
	if !ok {
		return Path{}, false
	}
	digits, rest, ok := strings.Cut(rest, "/")
	if !ok || len(digits) != 40 && len(digits) != 64 || !isHex(digits) {
		return Path{}, false
	}
	hash, err := metainfo.ParseHash(digits[:40])
	if err != nil {
		return Path{}, false
	}
	if rest == listName {
		return Path{Hash: hash, List: true}, true
	}
	number, _, _ := strings.Cut(rest, "/")
	if index, ok := parseIndex(number); ok {
		return Path{Hash: hash, Index: index}, true
	}
	return Path{}, false
}

// isHex reports whether a text is hexadecimal digits.
func isHex(s string) bool { return strings.Trim(s, "0123456789abcdefABCDEF") == "" }

// parseIndex parses the number of a file.
func parseIndex(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil
}

// pathOf returns the path of a file, whose name is there for people and players.
func pathOf(hash metainfo.Hash, index int, name string) string {
	return folderOf(hash, index) + "/" + url.PathEscape(cleanName(name))
}

// folderOf returns the part of the path of a file that counts.
func folderOf(hash metainfo.Hash, index int) string {
	return FilesPath + hash.String() + "/" + strconv.Itoa(index)
}
