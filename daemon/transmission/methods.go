package transmission

import (
	"context"
	"sync"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/daemon/queue"
)

// A method is something that clients can ask for.
type method struct {
	names names
	scope control.Scope // what the client has to be allowed
	run   func(c *call) error
}

// methods are all methods.
var methods = []method{
	{names{"torrent-get", "torrent_get"}, control.Read, torrentGet},
	{names{"torrent-add", "torrent_add"}, control.Control, torrentAdd},
	{names{"torrent-set", "torrent_set"}, control.Control, torrentSet},
	{names{"torrent-start", "torrent_start"}, control.Control, start(daemon.InTurn)},
	{names{"torrent-start-now", "torrent_start_now"}, control.Control, start(daemon.AtOnce)},
	{names{"torrent-stop", "torrent_stop"}, control.Control, act((*daemon.Torrent).Stop)},
	{names{"torrent-verify", "torrent_verify"}, control.Control, act(verify)},
	{names{"torrent-reannounce", "torrent_reannounce"}, control.Control,
		act((*daemon.Torrent).Reannounce)},
	{names{"torrent-remove", "torrent_remove"}, control.Control, torrentRemove},
	{names{"torrent-set-location", "torrent_set_location"}, control.Control, torrentSetLocation},
	{names{"torrent-rename-path", "torrent_rename_path"}, control.Control, torrentRenamePath},
	{names{"queue-move-top", "queue_move_top"}, control.Control, queueMove(queue.Top)},
	{names{"queue-move-up", "queue_move_up"}, control.Control, queueMove(queue.Up)},
	{names{"queue-move-down", "queue_move_down"}, control.Control, queueMove(queue.Down)},
	{names{"queue-move-bottom", "queue_move_bottom"}, control.Control, queueMove(queue.Bottom)},
	{names{"session-get", "session_get"}, control.Read, sessionGet},
	{names{"session-set", "session_set"}, control.Admin, sessionSet},
	{names{"session-stats", "session_stats"}, control.Read, sessionStats},
	{names{"session-close", "session_close"}, control.Admin, sessionClose},
	{names{"free-space", "free_space"}, control.Read, freeSpace},
	{names{"port-test", "port_test"}, control.Read, portTest},
	{names{"blocklist-update", "blocklist_update"}, control.Admin, blocklistUpdate},
	{names{"group-get", "group_get"}, control.Read, groupGet},
	{names{"group-set", "group_set"}, control.Admin, groupSet},
}

// methodsByName has all methods by their names in both dialects.
var methodsByName = sync.OnceValue(func() map[string]*method {
	byName := make(map[string]*method)
	for i := range methods {
		for _, name := range methods[i].names {
			byName[name] = &methods[i]
		}
	}
	return byName
})

// methodOf returns the method of a name, or nil.
func methodOf(name string) *method { return methodsByName()[name] }

// may returns an error unless the client is allowed a scope.
func (c *call) may(scope control.Scope) error {
	if control.From(c.ctx).Scope < scope {
		return &fault{code: codeInvalidRequest, text: "this login may not do that: it needs the " +
			scope.String() + " scope"}
	}
	return nil
}

// allowed returns an error if the client may not use a folder.
func (c *call) allowed(dir string) error {
	if !daemon.Confined(c.ctx) {
		return nil
	}
	return c.h.daemon.Allowed(dir)
}

// sessionClose ends the daemon, once the answer is sent.
func sessionClose(c *call) error {
	if c.h.cfg.Shutdown == nil {
		return &fault{code: codeSystem, text: "the daemon cannot be ended from here"}
	}
	context.AfterFunc(c.ctx, c.h.cfg.Shutdown)
	return nil
}
