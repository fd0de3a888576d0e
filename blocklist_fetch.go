package swarmnode

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"swarmnode/metainfo/weburl"
	"swarmnode/swarm/blocklist"
	"swarmnode/swarm/guard"
	"swarmnode/swarm/statefile"
)

var (
	// errNotModified says that a server has no newer list.
	errNotModified = errors.New("not modified")
	// errNoCache says that no list of an earlier run is kept.
	errNoCache = errors.New("no earlier list")
)

// A fetchError says that a server could not be reached.
type fetchError struct{ error }

func (e *fetchError) Unwrap() error { return e.error }

// fetch adds the list that a server sends, and keeps it for later runs. With newer, a list that
// is kept already is not sent again: the error is errNotModified then.
func (b *blocklists) fetch(ctx context.Context, build *blocklist.Builder, name string,
	newer bool) (source BlocklistSource, err error) {
	u, err := weburl.Parse(name)
	if err != nil || u.Host == "" {
		return source, errors.New("not a URL")
	}
	ctx, cancel := context.WithTimeout(ctx, blocklistTimeout)
	defer cancel()
	header := guard.Compressed()
	if kept, err := b.cache.open(name); err == nil {
		if newer {
			kept.ask(header)
		}
		kept.close()
	}
	answer, err := b.web.Get(ctx, guard.Target{URL: u}, guard.Any, header)
	if err != nil {
		return source, &fetchError{err}
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusNotModified && newer:
		return source, errNotModified
	case answer.StatusCode != http.StatusOK:
		return source, &fetchError{fmt.Errorf("the server answered %s", answer.Status)}
	}
	b.cache.tidy(time.Now(), b.names)
	keep := b.cache.create(listHead{URL: name, ETag: answer.Header.Get("ETag"),
		Modified: answer.Header.Get("Last-Modified"), Fetched: time.Now().Unix()})
	defer keep.drop()
	report, err := addWhole(build, io.TeeReader(&cutReader{answer.Body}, keep))
	if err != nil {
		return source, err
	}
	keep.finish()
	source = sourceOf(name, report)
	source.Fetched = time.Now()
	return source, nil
}

// recall adds the list that a server has sent before.
func (b *blocklists) recall(build *blocklist.Builder, name string) (BlocklistSource, error) {
	kept, err := b.cache.open(name)
	if err != nil {
		return BlocklistSource{}, err
	}
	defer kept.close()
	report, err := addWhole(build, kept.body)
	source := sourceOf(name, report)
	source.Fetched = time.Unix(kept.head.Fetched, 0)
	return source, err
}

// A cutReader reads the body of an answer. Its errors are those of the network.
type cutReader struct{ body io.Reader }

func (r *cutReader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = &fetchError{err}
	}
	return n, err
}

const (
	// listsFolder is the folder of the lists of servers, in the state folder.
	listsFolder = "blocklists"
	// listMagic begins a kept list. A line of JSON follows, a listHead, and then what the server
	// has sent.
	listMagic = "swarmnode blocklist 1\n"
	// listHeadMax bounds the head.
	listHeadMax = 64 << 10
	// listAge is how long a list is kept that this run does not use.
	listAge = 90 * 24 * time.Hour
)

// A listHead says where a kept list is from.
type listHead struct {
	URL      string `json:"url"`
	ETag     string `json:"etag,omitempty"`     // RFC 9110, section 8.8.3
	Modified string `json:"modified,omitempty"` // Last-Modified, as the server wrote it
	Fetched  int64  `json:"fetched"`            // seconds since 1970
}

// A listCache keeps the lists of servers from one run to the next.
type listCache struct{ dir folder }

// path returns the file of the list of a URL.
func (c listCache) path(url string) string {
	sum := sha256.Sum256([]byte(url))
	return filepath.Join(c.dir.path, listsFolder, hex.EncodeToString(sum[:16]))
}

// A cachedList is a list that is kept.
type cachedList struct {
	file *os.File
	head listHead
	body io.Reader
}

// open opens the kept list of a URL.
func (c listCache) open(url string) (*cachedList, error) {
	if !c.dir.keeps() {
		return nil, errNoCache
	}
	f, err := statefile.Open(c.path(url))
	if err != nil {
		return nil, err
	}
	l := &cachedList{file: f}
	in := bufio.NewReaderSize(f, listHeadMax)
	magic := make([]byte, len(listMagic))
	if _, err := io.ReadFull(in, magic); err == nil && string(magic) == listMagic {
		if line, err := in.ReadSlice('\n'); err == nil && json.Unmarshal(line, &l.head) == nil &&
			l.head.URL == url {
			l.body = in
			return l, nil
		}
	}
	f.Close()
	return nil, errNoCache
}

// ask adds what makes a server send the list only if it has changed (RFC 9110, section 13.1).
func (l *cachedList) ask(header http.Header) {
	if l.head.ETag != "" {
		header.Set("If-None-Match", l.head.ETag)
	}
	if l.head.Modified != "" {
		header.Set("If-Modified-Since", l.head.Modified)
	}
}

func (l *cachedList) close() { l.file.Close() }

// A keptList is a list that is being written. What cannot be written is not kept, and nothing
// else comes of it. The zero value keeps nothing.
type keptList struct {
	file *os.File
	path string
	err  error
}

// create begins to keep a list.
func (c listCache) create(head listHead) *keptList {
	if !c.dir.writable() {
		return new(keptList)
	}
	path := c.path(head.URL)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return new(keptList)
	}
	f, err := os.OpenFile(statefile.Temporary(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return new(keptList)
	}
	k := &keptList{file: f, path: path}
	line, err := json.Marshal(head)
	if err != nil || len(line) >= listHeadMax {
		k.err = errNoCache
	}
	io.WriteString(k, listMagic+string(line)+"\n")
	return k
}

// tidy removes lists that are old and not among those of names, and what runs that were killed
// have left.
func (c listCache) tidy(now time.Time, names []string) {
	if !c.dir.writable() {
		return
	}
	entries, err := os.ReadDir(filepath.Join(c.dir.path, listsFolder))
	if err != nil {
		return
	}
	used := make(map[string]bool)
	for _, name := range names {
		used[filepath.Base(c.path(name))] = true
	}
	for _, e := range entries {
		age := listAge
		if filepath.Ext(e.Name()) == statefile.TemporarySuffix {
			age = time.Hour
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && !used[e.Name()] &&
			now.Sub(info.ModTime()) > age {
			os.Remove(filepath.Join(c.dir.path, listsFolder, e.Name()))
		}
	}
}

// Write always succeeds.
func (k *keptList) Write(p []byte) (int, error) {
	if k.file != nil && k.err == nil {
		_, k.err = k.file.Write(p)
	}
	return len(p), nil
}

// finish puts the list in the place of an older one.
func (k *keptList) finish() {
	if k.file == nil || k.err != nil {
		return
	}
	if k.err = errors.Join(k.file.Sync(), k.file.Close()); k.err == nil {
		k.err = os.Rename(k.file.Name(), k.path)
	}
	if k.err == nil {
		k.file = nil
	}
}

// drop removes the list unless it was finished.
func (k *keptList) drop() {
	if k.file != nil {
		k.file.Close()
		os.Remove(k.file.Name())
		k.file = nil
	}
}
