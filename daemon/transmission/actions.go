package transmission

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"

	"swarmnode/daemon"
	"swarmnode/daemon/queue"
)

// each calls do with each torrent that a request is about. It goes on after an error, and
// returns the first one.
func (c *call) each(do func(t *daemon.Torrent) error) error {
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	return c.eachOf(chosen.torrents, do)
}

// eachOf calls do with each torrent of a list, as each does.
func (c *call) eachOf(list []*daemon.Torrent, do func(t *daemon.Torrent) error) (first error) {
	for _, t := range list {
		if err := c.ctx.Err(); err != nil {
			return cmp.Or(first, err)
		}
		if err := do(t); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// act returns a method that does something with each torrent and answers nothing.
func act(do func(t *daemon.Torrent, ctx context.Context) error) func(c *call) error {
	return func(c *call) error {
		return c.each(func(t *daemon.Torrent) error { return do(t, c.ctx) })
	}
}

func start(turn daemon.Turn) func(c *call) error {
	return act(func(t *daemon.Torrent, ctx context.Context) error { return t.Start(ctx, turn) })
}

// verify hashes content again. A link has none, which is no error.
func verify(t *daemon.Torrent, ctx context.Context) error {
	if err := t.Verify(ctx); !errors.Is(err, daemon.ErrNoInfo) {
		return err
	}
	return nil
}

// torrentRemove forgets torrents, with their content if that is asked for.
func torrentRemove(c *call) error {
	data, _ := c.params.get("delete-local-data", "delete_local_data").truth()
	return c.each(func(t *daemon.Torrent) error { return t.Remove(c.ctx, data) })
}

// folder returns the absolute path that a parameter names, if the client may use it. The text
// of the fault for a relative one is missing.
func (c *call) folder(path, missing string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &fault{code: codeNotAbsolute, text: missing}
	}
	return filepath.Clean(path), c.allowed(path)
}

// torrentSetLocation moves content, or says where it lies.
func torrentSetLocation(c *call) error {
	location := c.params.text("location")
	if location == "" {
		return invalid("no location")
	}
	dir, err := c.folder(location, "new location path is not absolute")
	if err != nil {
		return err
	}
	move, _ := c.params.get("move").truth()
	return c.each(func(t *daemon.Torrent) error {
		if move {
			return t.Move(c.ctx, dir)
		}
		return t.Locate(c.ctx, dir)
	})
}

// torrentRenamePath gives a file or a folder of one torrent another name.
func torrentRenamePath(c *call) error {
	chosen, err := c.choose()
	if err != nil {
		return err
	}
	if len(chosen.torrents) != 1 {
		return invalid(names{"torrent-rename-path", "torrent_rename_path"}[c.out.d] +
			" requires 1 torrent")
	}
	t := chosen.torrents[0]
	path, name := c.params.text("path"), c.params.text("name")
	w := c.out
	w.key("id")
	w.int(int64(t.ID()))
	w.key("path")
	w.text(path)
	w.key("name")
	w.text(name)
	if err := t.Rename(c.ctx, path, name); err != nil {
		f := *faultOf(err)
		f.keep = true
		return &f
	}
	return nil
}

// queueMove returns a method that moves torrents in the queue. They keep their order among
// each other, and those that are at an end already stay there.
func queueMove(where queue.Shift) func(c *call) error {
	return func(c *call) error {
		chosen, err := c.choose()
		if err == nil {
			c.h.daemon.Shift(chosen.torrents, where)
		}
		return err
	}
}
