package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"swarmnode/daemon/watch"
	"swarmnode/metainfo"
)

const (
	watchedMax     = 100     // folders
	linksBytesMax  = 1 << 20 // of a .magnet file
	linksMax       = 1000    // in a .magnet file
	torrentSuffix  = ".torrent"
	magnetSuffix   = ".magnet"
	watchSeparator = "="
)

// parseWatch splits an entry of Settings.Watch, FOLDER or FOLDER=DIR; dir is "" without one.
func parseWatch(entry string) (folder, dir string, err error) {
	folder = entry
	if i := strings.LastIndex(entry, watchSeparator); i >= 0 && filepath.IsAbs(entry[i+1:]) {
		folder, dir = entry[:i], filepath.Clean(entry[i+1:])
	}
	switch {
	case strings.ContainsRune(entry, 0):
		return "", "", fmt.Errorf("%q contains a NUL", entry)
	case !filepath.IsAbs(folder):
		return "", "", fmt.Errorf("%q is not an absolute path, nor FOLDER=DIR with two of them",
			entry)
	}
	return filepath.Clean(folder), dir, nil
}

// checkWatch says what is wrong with Settings.Watch.
func checkWatch(entries []string) error {
	if len(entries) > watchedMax {
		return fmt.Errorf("%d folders; want at most %d", len(entries), watchedMax)
	}
	var seen []string
	for _, entry := range entries {
		folder, dir, err := parseWatch(entry)
		if err != nil {
			return err
		}
		if folder == dir {
			return fmt.Errorf("%q has its content where it is watched", folder)
		}
		if slices.Contains(seen, folder) {
			return fmt.Errorf("%s is named twice", folder)
		}
		seen = append(seen, folder)
	}
	return nil
}

// A lookout watches the folders of Settings.Watch.
type lookout struct {
	d *Daemon

	mu     sync.Mutex
	end    context.CancelFunc // of the round under way
	watch  []string           // that the round is for
	folder []string           // of watch; run alone uses it and dirs
	dirs   []string           // for the content, one for each folder; "" is that of Settings
	likes  lookalikes         // run alone uses it
}

// run watches until ctx ends.
func (l *lookout) run(ctx context.Context) {
	for ctx.Err() == nil {
		round, end := context.WithCancel(ctx)
		l.begin(end)
		if len(l.folder) == 0 {
			<-round.Done()
		} else {
			watch.Run(round, watch.Config{Folders: l.folder, Take: l.take, Logger: l.d.log,
				Suffixes: map[string]int64{torrentSuffix: metainfo.TorrentBytesMax,
					magnetSuffix: linksBytesMax}})
		}
		end()
	}
}

// begin reads the settings for a round, which end ends.
func (l *lookout) begin(end context.CancelFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end, l.watch, l.folder, l.dirs = end, l.d.Settings().Watch, nil, nil
	for _, entry := range l.watch {
		folder, dir, err := parseWatch(entry)
		if err != nil || len(l.folder) == watchedMax {
			l.d.log.Warn("folder is not watched", "watch", entry, "err", err)
			continue
		}
		l.folder, l.dirs = append(l.folder, folder), append(l.dirs, dir)
	}
}

// settingsChanged begins another round if the list of folders has changed.
func (l *lookout) settingsChanged(now *Settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil && !slices.Equal(l.watch, now.Watch) {
		l.end()
	}
}

// take adds what a file in a watched folder holds.
func (l *lookout) take(ctx context.Context, f watch.File) error {
	if l.likes.have(l.d, f.Path) {
		return watch.ErrSkip
	}
	spec := AddSpec{Source: f.Path, Options: Options{Dir: l.dirs[f.Folder],
		Stopped: l.d.Settings().AddPaused}}
	if f.Suffix == torrentSuffix {
		torrent, err := metainfo.ParseTorrent(f.Doc)
		if err != nil {
			return &watch.BadError{Err: err}
		}
		spec.Torrent = torrent
		return l.add(ctx, spec)
	}
	links, err := parseLinks(f.Doc)
	if err != nil {
		return &watch.BadError{Err: err}
	}
	for _, link := range links {
		spec.Magnet = link
		if err := l.add(ctx, spec); err != nil {
			return err
		}
	}
	return nil
}

// add adds a torrent; one that is there already counts as added.
func (l *lookout) add(ctx context.Context, spec AddSpec) error {
	_, err := l.d.Add(ctx, spec)
	var there *ExistsError
	if errors.As(err, &there) {
		l.d.log.Info("torrent already added", "torrent", there.Torrent.Hash().Short(), "from",
			spec.Source)
		return nil
	}
	return err
}

// lookalikes are the torrents whose content has a name that is watched for. One goroutine at a
// time uses them.
type lookalikes struct {
	news *Subscription // nil before the first use
	list map[ID]*Torrent
}

// have reports whether path is, or will be, content of a torrent of d: a torrent whose content
// is a .torrent file must not add that.
func (l *lookalikes) have(d *Daemon, path string) bool {
	if l.news == nil {
		l.news = d.Subscribe(0)
	}
	changes, _, _ := l.news.poll() // without any if the daemon has ended
	l.keep(&changes)
	dir, name := filepath.Split(path)
	dir = filepath.Clean(dir)
	for _, t := range l.list {
		t.mu.Lock()
		same := t.rec.Shown.Name == name && (t.rec.Options.Dir == dir || t.rec.Place == dir)
		t.mu.Unlock()
		if same {
			return true
		}
	}
	return false
}

// keep takes note of changes.
func (l *lookalikes) keep(changes *Changes) {
	if changes.Reset {
		l.list = make(map[ID]*Torrent)
	}
	for _, id := range changes.Removed {
		delete(l.list, id)
	}
	for _, c := range changes.Torrents {
		t := c.Torrent
		t.mu.Lock()
		suffix := strings.ToLower(filepath.Ext(t.rec.Shown.Name))
		t.mu.Unlock()
		if suffix == torrentSuffix || suffix == magnetSuffix {
			l.list[t.id] = t
		} else {
			delete(l.list, t.id)
		}
	}
}

// parseLinks reads a .magnet file: one link a line. Empty lines and those that begin with #
// do not count. A line that is no link makes the whole file a bad one, so that nobody
// overlooks it.
func parseLinks(doc []byte) ([]metainfo.Magnet, error) {
	var links []metainfo.Magnet
	doc = bytes.TrimPrefix(doc, []byte("\ufeff"))
	number := 0
	for line := range bytes.Lines(doc) {
		number++
		text := string(bytes.TrimSpace(line))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		link, err := metainfo.ParseMagnet(text)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if len(links) == linksMax {
			return nil, fmt.Errorf("more than %d links", linksMax)
		}
		links = append(links, link)
	}
	if len(links) == 0 {
		return nil, errors.New("no magnet link")
	}
	return links, nil
}
