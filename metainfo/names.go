package metainfo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Renamed says that a path of a torrent was changed to be safe on every
// system. Both are joined by slashes, with the torrent's name in front.
type Renamed struct {
	From string // as in the torrent; may hold anything
	To   string
}

// The names that cannot be meant: they are refused, not cleaned.
var (
	errNameParent   = errors.New(`the path element ".." leads out of the folder`)
	errNameNUL      = errors.New("a path element holds a NUL byte")
	errNameAbsolute = errors.New("a path element is an absolute path")
	errNameEmpty    = errors.New("a file has no name")
	errNameDepth    = fmt.Errorf("a path is deeper than %d elements", PathDepthMax)
	errNameLong     = fmt.Errorf("a path is longer than %d bytes", PathBytesMax)
)

// substitute stands for each character that a name may not hold.
const substitute = '_'

// cleanElement makes one element of a path safe on every system. Every name
// that this package hands out went through it, whichever way it came. The
// result is empty for elements that mean nothing, "" and "."; it depends on
// nothing but the input, so that data written on one system is found again on
// another; and cleaning it again does not change it.
func cleanElement(name string) (string, error) {
	if isPlain(name) {
		return name, nil
	}
	if err := refuse(name); err != nil {
		return "", err
	}
	if name == "" || name == "." {
		return "", nil
	}
	var b strings.Builder
	for _, r := range name { // each byte of invalid UTF-8 is a RuneError
		if isForbidden(r) {
			r = substitute
		}
		b.WriteRune(r)
	}
	clean := trimEnd(b.String())
	if isReserved(clean) {
		clean = string(substitute) + clean
	}
	if len(clean) > ElementBytesMax {
		sum := sha256.Sum256([]byte(name))
		clean = shorten(clean, "~"+hex.EncodeToString(sum[:4]))
	}
	return clean, nil
}

// isPlain tells whether name needs no look at its characters: the road of
// nearly all names.
func isPlain[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > ElementBytesMax || mayBeReserved(name) && isReserved(string(name)) {
		return false
	}
	for i := range len(name) {
		if !plainBytes[name[i]] {
			return false
		}
	}
	last := name[len(name)-1]
	return last != '.' && last != ' '
}

// plainBytes holds the printable characters of ASCII that all systems take.
var plainBytes = func() (plain [256]bool) {
	for c := ' '; c <= '~'; c++ {
		plain[c] = !isForbidden(c)
	}
	return plain
}()

// refuse returns an error for names that cannot be meant.
func refuse(name string) error {
	if strings.IndexByte(name, 0) >= 0 {
		return errNameNUL
	}
	if isAbsolute(name) {
		return errNameAbsolute
	}
	for part := range strings.FieldsFuncSeq(name, isSeparator) {
		if part == ".." {
			return errNameParent
		}
	}
	return nil
}

func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// isAbsolute tells whether name starts at a root, of Unix ("/x"), of Windows
// ("C:\x") or of a network ("\\x").
func isAbsolute(name string) bool {
	if len(name) >= 3 && name[1] == ':' && isSeparator(rune(name[2])) {
		return isLetter(name[0])
	}
	return len(name) > 0 && isSeparator(rune(name[0]))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isForbidden tells whether some system does not take r in a name, or a screen
// could be misled by it.
func isForbidden(r rune) bool {
	switch r {
	case '/', '\\', ':', '*', '?', '"', '<', '>', '|', utf8.RuneError, '\u2028', '\u2029', '\ufeff':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) ||
		r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef // no characters
}

// trimEnd removes the dots and spaces at the end, which Windows drops.
func trimEnd(name string) string {
	if name = strings.TrimRight(name, ". "); name == "" {
		return string(substitute)
	}
	return name
}

// mayBeReserved spares nearly all names the look at the whole: those of devices
// start with one of few letters.
func mayBeReserved[T string | []byte](name T) bool {
	switch name[0] | 0x20 {
	case 'a', 'c', 'l', 'n', 'p':
		return true
	}
	return false
}

// isReserved tells whether Windows takes name for a device, with whatever
// suffix.
func isReserved(name string) bool {
	base, _, _ := strings.Cut(name, ".")
	base = strings.TrimRight(base, " ")
	switch len(base) {
	case 3:
		switch upper(base) {
		case "CON", "PRN", "AUX", "NUL":
			return true
		}
	case 4, 5: // the superscripts take two bytes
		switch upper(base[:3]) {
		case "COM", "LPT":
			return strings.Contains("123456789¹²³", base[3:])
		}
	case 6, 7:
		switch upper(base) {
		case "CONIN$", "CONOUT$":
			return true
		}
	}
	return false
}

func upper(s string) string { return string(upperASCII(s)) }

// extensionMax is the longest suffix, in bytes with its dot, that counts as a
// file's extension and is kept at the end when a name changes.
const extensionMax = 16

// shorten inserts mark before the extension of a clean name, and cuts the name
// before it as far as ElementBytesMax demands, between two characters.
func shorten(name, mark string) string {
	stem, ext := splitExtension(name)
	if room := ElementBytesMax - len(mark) - len(ext); len(stem) > room {
		for room > 0 && !utf8.RuneStart(stem[room]) {
			room--
		}
		stem = stem[:room]
	}
	return stem + mark + ext
}

func splitExtension(name string) (stem, ext string) {
	i := strings.LastIndexByte(name, '.')
	if i <= 0 || len(name)-i > extensionMax {
		return name, ""
	}
	return name[:i], name[i:]
}

// DisplayName makes a name from a stranger safe to show: as it would be called
// on disk. It returns "" when nothing can be made of it.
func DisplayName(name string) string {
	clean, err := cleanElement(name)
	if err != nil {
		clean, _ = cleanElement(strings.Map(func(r rune) rune {
			if r == 0 || isSeparator(r) {
				return substitute
			}
			return r
		}, name))
	}
	return clean
}
