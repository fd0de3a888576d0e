package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A taker records what it is given, and says what becomes of it.
type taker struct {
	mu    sync.Mutex
	got   []string // NAME=CONTENT
	says  func(File) error
	log   bytes.Buffer
	stop  context.CancelFunc
	ended chan struct{}
}

func (k *taker) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.Write(p)
}

func (k *taker) take(_ context.Context, f File) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = append(k.got, filepath.Base(f.Path)+"="+string(f.Doc))
	if k.says != nil {
		return k.says(f)
	}
	return nil
}

func (k *taker) taken() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.got)
}

func (k *taker) logged() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.log.String()
}

// start watches folders until the end of the test, or until stop.
func (k *taker) start(t *testing.T, noNotices bool, folders ...string) {
	ctx, cancel := context.WithCancel(t.Context())
	k.ended = make(chan struct{})
	k.stop = func() {
		cancel()
		<-k.ended
	}
	go func() {
		defer close(k.ended)
		Run(ctx, Config{Folders: folders, Take: k.take, noNotices: noNotices,
			Suffixes: map[string]int64{".torrent": 20, ".magnet": 10},
			Logger:   slog.New(slog.NewTextHandler(k, nil))})
	}()
	t.Cleanup(k.stop)
}

func write(t *testing.T, content string, path ...string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(path...), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// files are the names of the files in a folder.
func files(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// watched returns a folder that is watched by looking alone. Tests call it in virtual time.
func watched(t *testing.T) (*taker, string) {
	dir, k := t.TempDir(), &taker{}
	k.start(t, true, dir)
	synctest.Wait()
	return k, dir
}

func want(t *testing.T, k *taker, wants ...string) {
	t.Helper()
	if got := k.taken(); !slices.Equal(got, wants) {
		t.Errorf("taken are %q, want %q", got, wants)
	}
}

// Files that are there at the start and those that come later are taken, and renamed.
func TestFilesAreTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, k := t.TempDir(), &taker{}
		write(t, "one", dir, "a.torrent")
		write(t, "link", dir, "B.MAGNET")
		for _, other := range []string{"c.txt", ".hidden.torrent", ".torrent", "d.torrent.part",
			"e.torrent.added", "f.torrent.invalid", "torrent", "g.torrent~"} {
			write(t, "x", dir, other)
		}
		if err := os.Mkdir(filepath.Join(dir, "folder.torrent"), 0o755); err != nil {
			t.Fatal(err)
		}
		k.start(t, true, dir)
		time.Sleep(settleTime - time.Millisecond)
		want(t, k)
		time.Sleep(2 * time.Millisecond)
		want(t, k, "B.MAGNET=link", "a.torrent=one")
		write(t, "two", dir, "z.torrent")
		time.Sleep(pollTime + settleTime)
		want(t, k, "B.MAGNET=link", "a.torrent=one", "z.torrent=two")
		time.Sleep(time.Hour)
		want(t, k, "B.MAGNET=link", "a.torrent=one", "z.torrent=two")
		if got, want := files(t, dir), ".hidden.torrent .torrent B.MAGNET.added a.torrent.added "+
			"c.txt d.torrent.part e.torrent.added f.torrent.invalid folder.torrent g.torrent~ "+
			"torrent z.torrent.added"; got != want {
			t.Errorf("the folder has %s\nwant %s", got, want)
		}
		if log := k.logged(); log != "" {
			t.Errorf("logged: %s", log)
		}
	})
}

// A file is left alone while somebody writes to it.
func TestFilesSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		content := ""
		for range 15 {
			content += "x"
			write(t, content, dir, "a.torrent")
			time.Sleep(900 * time.Millisecond)
			want(t, k)
		}
		time.Sleep(pollTime)
		want(t, k, "a.torrent="+content)
	})
}

// A file that cannot be used is given time: its writer may be slow. Then it is named once.
func TestBadFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		k.says = func(f File) error {
			if string(f.Doc) != "good" {
				return &BadError{errors.New("no torrent")}
			}
			return nil
		}
		write(t, "bad", dir, "a.torrent")
		write(t, "go", dir, "b.torrent")
		write(t, strings.Repeat("x", 21), dir, "long.torrent")
		write(t, "", dir, "none.magnet")
		time.Sleep(pollTime + 5*time.Second)
		write(t, "good", dir, "b.torrent")
		time.Sleep(time.Hour)
		const names = "a.torrent.invalid b.torrent.added long.torrent.invalid none.magnet.invalid"
		if got := files(t, dir); got != names {
			t.Errorf("the folder has %s", got)
		}
		log := k.logged()
		for _, name := range []string{"a.torrent", "long.torrent", "none.magnet"} {
			if strings.Count(log, filepath.Join(dir, name)+" ") != 1 {
				t.Errorf("%s is not named once:\n%s", name, log)
			}
		}
		if strings.Count(log, "\n") != 3 || strings.Count(log, "cannot be used") != 3 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// What is none of ours is left alone, without a word, until it changes.
func TestSkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		k.says = func(f File) error {
			if string(f.Doc) == "theirs" {
				return ErrSkip
			}
			return nil
		}
		write(t, "theirs", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=theirs")
		write(t, "ours", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=theirs", "a.torrent=ours")
		if got := files(t, dir); got != "a.torrent.added" || k.logged() != "" {
			t.Errorf("the folder has %s, the log %q", got, k.logged())
		}
	})
}

// What cannot be taken now is tried again, and named once.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		tries := 0
		k.says = func(File) error {
			if tries++; tries < 5 {
				return errors.New("no memory")
			}
			return nil
		}
		write(t, "a", dir, "a.torrent")
		time.Sleep(10 * pollTime)
		if got := files(t, dir); got != "a.torrent.added" || tries != 5 {
			t.Errorf("the folder has %s after %d tries", got, tries)
		}
		if log := k.logged(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "no memory") {
			t.Errorf("log:\n%s", log)
		}
	})
}

// Neither links nor what is no regular file is opened; a pipe would hold us up for ever.
func TestOnlyRegularFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		secret := filepath.Join(t.TempDir(), "secret")
		write(t, "secret", secret)
		if err := os.Symlink(secret, filepath.Join(dir, "a.torrent")); err != nil {
			t.Skip(err)
		}
		if err := os.Symlink("/nowhere", filepath.Join(dir, "b.torrent")); err != nil {
			t.Fatal(err)
		}
		pipe(t, filepath.Join(dir, "c.magnet"))
		time.Sleep(time.Hour)
		want(t, k)
		if got := files(t, dir); got != "a.torrent b.torrent c.magnet" {
			t.Errorf("the folder has %s", got)
		}
		if log := k.logged(); strings.Count(log, "\n") != 3 {
			t.Errorf("log:\n%s", log)
		}
		if err := os.Remove(filepath.Join(dir, "a.torrent")); err != nil {
			t.Fatal(err)
		}
		write(t, "file", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=file")
	})
}

// A folder may be missing, appear, be removed, and be another one afterwards.
func TestFoldersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := &taker{}, filepath.Join(t.TempDir(), "a", "b")
		k.start(t, true, dir)
		for i := range 3 {
			time.Sleep(time.Minute)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, "x", dir, fmt.Sprint(i, ".torrent"))
			time.Sleep(pollTime + 2*settleTime)
			if got := files(t, dir); got != fmt.Sprint(i, ".torrent.added") {
				t.Errorf("round %d: %s", i, got)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		write(t, "no folder", dir)
		time.Sleep(time.Minute)
		log := k.logged()
		if strings.Count(log, "cannot be read") != 4 || strings.Count(log, "can be read now") != 3 {
			t.Errorf("log:\n%s", log)
		}
	})
}

// A file that cannot be renamed is taken once all the same.
func TestReadOnlyFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		// A folder that is not empty has the new name, so nothing can take its place. Root could
		// rename files in a folder that it may not write to.
		if err := os.MkdirAll(filepath.Join(dir, "a.torrent"+Added, "full"), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, "a", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=a")
		if log := k.logged(); strings.Count(log, "keeps its name") != 1 {
			t.Errorf("log:\n%s", log)
		}
		write(t, "newer", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=a", "a.torrent=newer")
	})
}

// A file that is replaced while it is taken is not lost.
func TestReplacedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k, dir := watched(t)
		k.says = func(f File) error {
			if string(f.Doc) == "old" {
				write(t, "newer", f.Path)
			}
			return nil
		}
		write(t, "old", dir, "a.torrent")
		time.Sleep(time.Hour)
		want(t, k, "a.torrent=old", "a.torrent=newer")
		if got := files(t, dir); got != "a.torrent.added" {
			t.Errorf("the folder has %s", got)
		}
	})
}

// More files than may wait are all taken.
func TestManyFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, k := t.TempDir(), &taker{}
		const count = 250
		for i := range count {
			write(t, "x", dir, fmt.Sprint(i, ".torrent"))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*pollTime)
		defer cancel()
		Run(ctx, Config{Folders: []string{dir}, Take: k.take, noNotices: true, waitingMax: 100,
			Suffixes: map[string]int64{".torrent": 20}})
		if got := len(k.taken()); got != count {
			t.Errorf("%d of %d files were taken", got, count)
		}
	})
}

// Run ends while many files wait, without taking them all first.
func TestEndInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, k := t.TempDir(), &taker{}
		for i := range 10 {
			write(t, "x", dir, fmt.Sprint(i, ".torrent"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		k.says = func(File) error {
			if len(k.got) == 3 {
				cancel()
				return ctx.Err()
			}
			return nil
		}
		Run(ctx, Config{Folders: []string{dir}, Take: k.take, noNotices: true,
			Suffixes: map[string]int64{".torrent": 20}})
		if len(k.got) != 3 {
			t.Errorf("%d files were taken", len(k.got))
		}
		if got := strings.Count(files(t, dir), Added); got != 2 {
			t.Errorf("%d files were renamed", got)
		}
	})
}

// The system's notices find files, also in a folder that was replaced.
func TestNotices(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "watched")
	other := t.TempDir()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	k := &taker{}
	k.start(t, false, other, dir)
	for i := range 2 {
		write(t, "x", dir, fmt.Sprint(i, ".torrent"))
		eventually(t, func() bool { return files(t, dir) == fmt.Sprint(i, ".torrent.added") })
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want(t, k, "0.torrent=x", "1.torrent=x")
}

func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("it does not happen")
		case <-tick.C:
		}
	}
}
