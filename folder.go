package swarmnode

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"swarmnode/swarm/statefile"
	"swarmnode/swarm/storage"
)

// A folder is where a node keeps what it remembers between runs. Several processes may
// share it, because every file is replaced whole. The zero value keeps nothing.
type folder struct {
	path     string
	readOnly bool // nothing can be written there
}

const (
	// recordsFolder is the folder of the records of torrents, portFile the file of the port,
	// and secretFile that of the secret of port mappings, all in the state folder.
	recordsFolder = "resume"
	portFile      = "port"
	secretFile    = "portmap"
	// portBytesMax bounds the file of the port.
	portBytesMax = 1 << 10
	// secretBytes is the length of the secret.
	secretBytes = 32
)

// openFolder makes the state folder path, which only its owner can read. An existing
// folder that cannot be written to is only read, with a warning. It also warns if other
// users could plant files there. The error is a *StateError.
func openFolder(log *slog.Logger, path string) (folder, error) {
	if path == "" {
		return folder{}, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return folder{}, &StateError{path, err}
	}
	f := folder{path: path}
	if err := statefile.Writable(path); storage.IsDenied(err) {
		f.readOnly = true
		log.Warn("nothing will be remembered", "err", &StateError{path, withoutPath(err)})
	}
	for _, dir := range []string{path, f.records()} {
		if statefile.Shared(dir) {
			log.Warn("other users can write to the state folder " + dir +
				", and so mislead this node (try: chmod go-w)")
			break
		}
	}
	return f, nil
}

// withoutPath returns err without the path that it names.
func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// keeps reports whether the folder is kept at all.
func (f folder) keeps() bool { return f.path != "" }

// writable reports whether something can be remembered.
func (f folder) writable() bool { return f.keeps() && !f.readOnly }

// records returns the folder of the records of torrents.
func (f folder) records() string { return filepath.Join(f.path, recordsFolder) }

// port returns the remembered port, 0 if there is none.
func (f folder) port() uint16 {
	if !f.keeps() {
		return 0
	}
	doc, _, err := statefile.Read(filepath.Join(f.path, portFile), portBytesMax)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(doc)), 10, 16)
	if err != nil || n < portMin {
		return 0 // not ours: another port is picked and written
	}
	return uint16(n)
}

// savePort remembers the port.
func (f folder) savePort(port uint16) error {
	if !f.writable() {
		return nil
	}
	return statefile.Replace(filepath.Join(f.path, portFile),
		[]byte(strconv.Itoa(int(port))+"\n"), true)
}

// secret returns the secret by which a later run takes over the mappings of this one. It makes
// one if there is none.
func (f folder) secret(log *slog.Logger) []byte {
	path := filepath.Join(f.path, secretFile)
	if f.keeps() {
		doc, _, err := statefile.Read(path, secretBytes)
		if err == nil && len(doc) == secretBytes {
			return doc
		}
	}
	secret := make([]byte, secretBytes)
	rand.Read(secret)
	if f.writable() {
		if err := statefile.Replace(path, secret, false); err != nil {
			log.Warn("the secret of port mappings will not be remembered", "err", err)
		}
	}
	return secret
}
