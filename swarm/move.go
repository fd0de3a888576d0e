package swarm

import (
	"context"
	"errors"

	"swarmnode/metainfo"
	"swarmnode/swarm/storage"
)

// A relocation shows where the content of a torrent lies, and how far a move has come. The
// handle guards it.
type relocation struct {
	dir          string // "" before the storage is open
	moved, total int64  // bytes copied and to be copied; 0 unless Move copies
}

// storeWhenOpen returns the storage of the torrent, and waits while the content on disk is
// checked. The error is ErrNoInfo, ErrNoContent, one that wraps ErrStopped, or that of ctx.
func (t *Torrent) storeWhenOpen(ctx context.Context) (*storage.Store, error) {
	switch {
	case t.spec.MetadataOnly:
		return nil, ErrNoContent
	case t.ctx.Err() != nil:
		return nil, t.stopped()
	case t.Info() == nil:
		return nil, ErrNoInfo
	}
	return t.readers.awaitStore(ctx, t)
}

// Move moves the content to the folder dir, which is made if need be, and returns when
// nothing of it is left in the old one. Pieces are uploaded and fetched all the while, and
// a paused torrent can be moved as well. State shows how far it has come. An engine with a
// StateDir finds the content at its new place even if a later Spec names the old folder.
//
// On one device the content gets another name in one step; from device to device it is
// copied, put on stable storage, compared, and only then removed from the old folder. If
// the process dies on the way, the next one finds the content whole at one of the two
// places. See storage.Store.Move for which errors there are: after each of them everything
// is as before. Beside those the error is that of ctx, which ends the move; ErrStopped
// after the end of the torrent, which ends the move, too; ErrNoInfo or ErrNoContent.
// While the content on disk is checked first, Move waits; a pause may hold that check up.
// Moving to the folder where the content lies does nothing.
func (t *Torrent) Move(ctx context.Context, dir string) error {
	err := t.relocate(ctx, func(ctx context.Context, store *storage.Store) error {
		return store.Move(ctx, dir, t.setMoved)
	})
	if err == nil {
		t.log.Info("moved", "dir", t.Dir())
	}
	return err
}

// Rename gives file i of the layout another name in the folder that it lies in, or the file
// or folder at the top if i is -1. The swarm never hears of it. An engine with a StateDir
// finds the content by its new names later; see storage.Store.Rename for that, and for
// which errors there are. Beside those the error is ErrStopped, ErrNoInfo, ErrNoContent, or
// one that wraps ErrNoFile. Rename waits for the end of a Move, and of the first check of the
// content on disk, which a pause may hold up.
func (t *Torrent) Rename(i int, name string) error {
	return t.relocate(t.ctx, func(_ context.Context, store *storage.Store) error {
		if i != -1 {
			if err := hasFile(t.Info().Layout(), i); err != nil {
				return err
			}
		}
		return store.Rename(i, name)
	})
}

// RenameFolder gives a folder of the content below the top another name: the one that holds
// file i of the layout, depth levels below the top, where 1 is directly below it. It is like
// Rename in all else; see storage.Store.RenameFolder.
func (t *Torrent) RenameFolder(i, depth int, name string) error {
	return t.relocate(t.ctx, func(_ context.Context, store *storage.Store) error {
		if err := hasFile(t.Info().Layout(), i); err != nil {
			return err
		}
		return store.RenameFolder(i, depth, name)
	})
}

// Dir returns the folder below which the content lies: Spec.Dir, unless it was moved.
func (t *Torrent) Dir() string {
	if dir := t.handle.dir(); dir != "" {
		return dir
	}
	return t.firstDir()
}

// choosePlace asks Spec.Place for the folder of the content, before its storage is opened.
func (t *Torrent) choosePlace(l *metainfo.Layout) {
	if t.spec.Place == nil {
		return
	}
	if dir := t.spec.Place(l); dir != "" {
		t.place.Store(&dir)
	}
}

// firstDir returns the folder that the content is opened in.
func (t *Torrent) firstDir() string {
	if dir := t.place.Load(); dir != nil {
		return *dir
	}
	return t.spec.Dir
}

// relocate makes f change where the content lies, and shows what has become of it. The end
// of the torrent ends the context of f.
func (t *Torrent) relocate(ctx context.Context,
	f func(ctx context.Context, store *storage.Store) error) error {
	store, err := t.storeWhenOpen(ctx)
	if err != nil && t.ctx.Err() != nil {
		return t.stopped()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)()
	err = f(ctx, store)
	t.handle.relocated(store.Dir())
	t.changed(ChangedState | ChangedFiles | ChangedSettings)
	if err != nil && t.ctx.Err() != nil &&
		(errors.Is(err, context.Canceled) || errors.Is(err, storage.ErrClosed)) {
		return t.stopped()
	}
	return err
}

// setMoved shows how far a move has come, in bytes.
func (t *Torrent) setMoved(done, total int64) {
	t.handle.setMoved(done, total)
	t.changed(ChangedState)
}

// at returns the relocation of content that lies in dir.
func at(dir string) relocation { return relocation{dir: dir} }

// folder returns the folder that the content lies in; "" before the storage is open.
func (r *relocation) folder() string { return r.dir }

// progress records how many bytes were copied, and how many there are.
func (r *relocation) progress(done, total int64) { r.moved, r.total = done, total }

// show puts into s what r knows.
func (r *relocation) show(s *State) { s.Dir, s.Moved, s.MoveTotal = r.dir, r.moved, r.total }
