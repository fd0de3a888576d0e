package api

import (
	"context"
	"net/http"

	"swarmnode/daemon"
	"swarmnode/daemon/queue"
)

// act does something with the torrent of the path.
func (c *call) act(status int, do func(context.Context, *daemon.Torrent) error) error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	if err := do(c.r.Context(), t); err != nil {
		return err
	}
	c.w.WriteHeader(status)
	return nil
}

func (c *call) start() error {
	var body Start
	if err := c.body(&body, true); err != nil {
		return err
	}
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Start(ctx, daemon.Turn(body.Now))
	})
}

func (c *call) stop() error {
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Stop(ctx)
	})
}

func (c *call) verify() error {
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Verify(ctx)
	})
}

func (c *call) reannounce() error {
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Reannounce(ctx)
	})
}

func (c *call) move() error {
	dir, err := c.folder()
	if err != nil {
		return err
	}
	return c.act(http.StatusAccepted, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Move(ctx, dir)
	})
}

func (c *call) locate() error {
	dir, err := c.folder()
	if err != nil {
		return err
	}
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Locate(ctx, dir)
	})
}

// folder reads a Folder that the one who asks may use.
func (c *call) folder() (string, error) {
	var body Folder
	if err := c.body(&body, false); err != nil {
		return "", err
	}
	return body.Dir, c.mayUse(body.Dir)
}

func (c *call) rename() error {
	var body Rename
	if err := c.body(&body, false); err != nil {
		return err
	}
	return c.act(http.StatusNoContent, func(ctx context.Context, t *daemon.Torrent) error {
		return t.Rename(ctx, body.Path, body.Name)
	})
}

func (c *call) queue() error {
	var body Enqueue
	if err := c.body(&body, false); err != nil {
		return err
	}
	return c.act(http.StatusNoContent, func(_ context.Context, t *daemon.Torrent) error {
		return t.Enqueue(body.To)
	})
}

// bulkMax bounds the torrents that a Bulk names.
const bulkMax = 20_000

// bulk does the same to several torrents, one after the other.
func (c *call) bulk() error {
	var body Bulk
	if err := c.body(&body, false); err != nil {
		return err
	}
	if body.All == (body.IDs != nil) {
		return wrong("ids", "want either ids or all")
	}
	if len(body.IDs) > bulkMax {
		return wrong("ids", "there are %d ids, at most %d", len(body.IDs), bulkMax)
	}
	do, err := c.action(&body)
	if err != nil {
		return err
	}
	var shifted []*daemon.Torrent
	where, moves := shifts[body.Action]
	if moves {
		do = func(_ context.Context, t *daemon.Torrent) error {
			shifted = append(shifted, t)
			return nil
		}
	}
	result := BulkResult{Failed: []BulkFailed{}}
	one := func(id daemon.ID, t *daemon.Torrent) {
		err := daemon.ErrRemoved
		if t != nil {
			err = do(c.r.Context(), t)
		}
		if err != nil {
			p := problemOf(err)
			result.Failed = append(result.Failed, BulkFailed{id, p.Detail, p.Status})
			return
		}
		result.Done++
	}
	if body.All {
		for _, t := range c.api.daemon.Torrents() {
			one(t.ID(), t)
		}
	}
	for _, id := range body.IDs {
		one(id, c.api.daemon.ByID(id))
	}
	if moves {
		c.api.daemon.Shift(shifted, where)
	}
	return c.ok(result)
}

// shifts are the actions that move torrents in the queue, all at one time.
var shifts = map[Action]queue.Shift{ActionQueueTop: queue.Top, ActionQueueUp: queue.Up,
	ActionQueueDown: queue.Down, ActionQueueBottom: queue.Bottom}

// action returns what a Bulk does to each torrent; nothing for one that moves them in the queue.
func (c *call) action(body *Bulk) (func(context.Context, *daemon.Torrent) error, error) {
	if (body.Patch != nil) != (body.Action == ActionSet) {
		return nil, wrong("patch", "a patch is for the action set")
	}
	folder := body.Action == ActionMove || body.Action == ActionLocate
	if (body.Dir != "") != folder {
		return nil, wrong("dir", "a dir is for the actions move and locate")
	}
	if folder {
		if err := c.mayUse(body.Dir); err != nil {
			return nil, err
		}
	}
	switch body.Action {
	case ActionStart, ActionStartNow:
		turn := daemon.Turn(body.Action == ActionStartNow)
		return func(ctx context.Context, t *daemon.Torrent) error { return t.Start(ctx, turn) }, nil
	case ActionStop:
		return func(ctx context.Context, t *daemon.Torrent) error { return t.Stop(ctx) }, nil
	case ActionVerify:
		return func(ctx context.Context, t *daemon.Torrent) error { return t.Verify(ctx) }, nil
	case ActionReannounce:
		return func(ctx context.Context, t *daemon.Torrent) error { return t.Reannounce(ctx) }, nil
	case ActionSet:
		return func(_ context.Context, t *daemon.Torrent) error {
			return c.setOptions(t, body.Patch)
		}, nil
	case ActionMove:
		return func(ctx context.Context, t *daemon.Torrent) error {
			return t.Move(ctx, body.Dir)
		}, nil
	case ActionLocate:
		return func(ctx context.Context, t *daemon.Torrent) error {
			return t.Locate(ctx, body.Dir)
		}, nil
	case ActionRemove, ActionRemoveData:
		data := body.Action == ActionRemoveData
		return func(ctx context.Context, t *daemon.Torrent) error {
			return t.Remove(ctx, data)
		}, nil
	}
	if _, ok := shifts[body.Action]; ok {
		return nil, nil
	}
	return nil, wrong("action", "there is no action %q", body.Action)
}
