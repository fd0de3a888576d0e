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

// The faults of names that no honest torrent has. Such names are refused, not cleaned.
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

// cleanElement makes one element of a path safe by rule. Every name that this
// package hands out went through it, whether it came from a file or a peer. The result
// is empty for elements that mean nothing, "" and ".". It depends only on the
// input and the rule, so that data written on one system is found again on
// another. Cleaning the result again does not change it.
func cleanElement(name string, rule NameRule) (string, error) {
	if isPlain(name) {
		return name, nil
	}
	if err := refuse(name); err != nil {
		return "", err
	}
	if name == "" || name == "." {
		return "", nil
	}
	if isPortable(name) {
		return name, nil
	}
	clean := replace(name, rule)
	if rule == NamesRaw {
		return clean, nil
	}
	if rule == NamesPortable {
		clean = trimEnd(clean)
		if isReserved(clean) {
			clean = string(substitute) + clean
		}
	}
	if len(clean) > ElementBytesMax {
		sum := sha256.Sum256([]byte(name))
		clean = shorten(clean, "~"+hex.EncodeToString(sum[:4]))
	}
	return clean, nil
}

// replace returns name with a substitute for each character that rule does not
// keep, and for each byte that is not part of valid UTF-8.
func replace(name string, rule NameRule) string {
	var b strings.Builder
	b.Grow(len(name))
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		invalid := r == utf8.RuneError && size == 1
		if rule.keeps(r, invalid) {
			b.WriteString(name[i : i+size])
		} else {
			b.WriteByte(substitute)
		}
		i += size
	}
	return b.String()
}

// isPortable reports whether no rule changes name, which was not refused.
func isPortable(name string) bool {
	if len(name) > ElementBytesMax || strings.ContainsFunc(name, isForbidden) || isReserved(name) {
		return false
	}
	last := name[len(name)-1]
	return last != '.' && last != ' '
}

// isPlain reports whether no rule changes name, by a quick look at its bytes that
// finds nearly all such names.
func isPlain[T string | []byte](name T) bool {
	if len(name) == 0 || len(name) > ElementBytesMax ||
		mayBeReserved(name) && isReserved(string(name)) {
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

// refuse returns an error for names that no honest torrent has. A name that begins with
// a single backslash is not refused: on Unix it is legal.
func refuse(name string) error {
	switch {
	case name == "..":
		return errNameParent
	case strings.IndexByte(name, 0) >= 0:
		return refused(errNameNUL, name)
	case isAbsolute(name):
		return refused(errNameAbsolute, name)
	}
	for part := range strings.FieldsFuncSeq(name, isSeparator) {
		if part == ".." {
			return refused(errNameParent, name)
		}
	}
	return nil
}

// refusedBytesMax bounds the part of a refused name that an error shows, in bytes.
const refusedBytesMax = 64

func refused(why error, name string) error {
	return fmt.Errorf("%w: %q", why, name[:min(len(name), refusedBytesMax)])
}

func isSeparator(r rune) bool { return r == '/' || r == '\\' }

// isAbsolute reports whether name starts at a root, of Unix ("/x"), of Windows
// ("C:\x") or of a network ("\\x").
func isAbsolute(name string) bool {
	if len(name) >= 3 && name[1] == ':' && isSeparator(rune(name[2])) {
		return isLetter(name[0])
	}
	return strings.HasPrefix(name, "/") || strings.HasPrefix(name, `\\`)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// isForbidden reports whether some system does not allow r in a name, or r could mislead
// people who see it on a screen.
func isForbidden(r rune) bool {
	switch r {
	case '/', '\\', ':', '*', '?', '"', '<', '>', '|', utf8.RuneError:
		return true
	}
	return isMisleading(r)
}

// isMisleading reports whether r is invisible, turns text around, or is not a
// character.
func isMisleading(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' ||
		r == '\u2029' || r == '\ufeff' ||
		r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef // no characters
}

// paddingPrefix begins the names that BitComet gave to padding, before a number and
// "_if you see this file, please update to BitComet 0.85 or above", many years
// before BEP 47 had an attribute for it.
const paddingPrefix = "_____padding_file_"

// isPaddingName reports whether the name of a file of a v1 torrent says that it is
// padding. libtorrent goes by the name as well.
func isPaddingName[T string | []byte](name T) bool {
	return len(name) > len(paddingPrefix) && string(name[:len(paddingPrefix)]) == paddingPrefix &&
		'0' <= name[len(paddingPrefix)] && name[len(paddingPrefix)] <= '9'
}

// trimEnd removes the dots and spaces at the end, which Windows drops.
func trimEnd(name string) string {
	if name = strings.TrimRight(name, ". "); name == "" {
		return string(substitute)
	}
	return name
}

// mayBeReserved is a quick test that rules out nearly all names: the names of devices
// start with one of few letters.
func mayBeReserved[T string | []byte](name T) bool {
	switch name[0] | 0x20 {
	case 'a', 'c', 'l', 'n', 'p':
		return true
	}
	return false
}

// isReserved reports whether name means a device on Windows, with any suffix.
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

// DisplayName makes a name from a stranger safe to show, as a file would be named on
// this system. It returns "" for a name that is refused.
func DisplayName(name string) string {
	clean, err := cleanElement(name, NamesNative.resolve())
	if err != nil {
		clean, _ = cleanElement(strings.Map(func(r rune) rune {
			if r == 0 || isSeparator(r) {
				return substitute
			}
			return r
		}, name), NamesNative.resolve())
	}
	return clean
}
