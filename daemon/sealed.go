package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// A sealed document is a JSON object that ends with its checksum: the last key is "sha256",
// and its value is the SHA-256 of all bytes before the comma in front of that key. So it is
// JSON for every program, and damage shows.
const (
	sealStart = `,"sha256":"`
	sealEnd   = "\"}\n"
	sealBytes = len(sealStart) + 2*sha256.Size + len(sealEnd)
)

// What can be wrong with a sealed document.
var (
	errDamaged = errors.New("is damaged")
	errLater   = errors.New("is of a later version of this program")
)

// seal returns the sealed document of an object that has a key.
func seal(object []byte) []byte {
	body := bytes.TrimSuffix(object, []byte("}"))
	sum := sha256.Sum256(body)
	doc := make([]byte, 0, len(body)+sealBytes)
	doc = append(append(doc, body...), sealStart...)
	doc = hex.AppendEncode(doc, sum[:])
	return append(doc, sealEnd...)
}

// unseal returns the object in a sealed document without its checksum. version is the newest
// that the caller can read. The error wraps errLater if the object says that its "version" is
// a later one, whatever its checksum may be, or else errDamaged.
func unseal(doc []byte, version int) ([]byte, error) {
	object, err := unsealed(doc)
	if err == nil && bytes.HasPrefix(object, fmt.Appendf(nil, `{"version":%d,`, version)) {
		return object, nil // as seal wrote it, which need not be read twice
	}
	var head struct {
		Version int `json:"version"`
	}
	whole := json.Unmarshal(doc, &head)
	switch {
	case whole == nil && head.Version > version:
		return nil, fmt.Errorf("version %d: %w", head.Version, errLater)
	case err != nil:
		return nil, err
	case whole != nil:
		return nil, fmt.Errorf("%w: %v", errDamaged, whole)
	case head.Version < 1:
		return nil, fmt.Errorf("%w: no version", errDamaged)
	}
	return object, nil
}

// unsealed checks the checksum.
func unsealed(doc []byte) ([]byte, error) {
	start := len(doc) - sealBytes
	if start < 1 || !bytes.HasPrefix(doc[start:], []byte(sealStart)) ||
		!bytes.HasSuffix(doc, []byte(sealEnd)) {
		return nil, fmt.Errorf("%w: it is cut or has no checksum", errDamaged)
	}
	body, said := doc[:start], doc[start+len(sealStart):len(doc)-len(sealEnd)]
	sum := sha256.Sum256(body)
	if hex.EncodeToString(sum[:]) != string(said) {
		return nil, fmt.Errorf("%w: wrong checksum", errDamaged)
	}
	return append(bytes.Clone(body), '}'), nil
}
