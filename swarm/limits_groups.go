package swarm

import (
	"sync"

	"swarmnode/swarm/limit"
)

// A Group is a set of torrents that share a rate; see Limits.Group.
type Group struct {
	Name string
	// Down and Up bound the payload of all its torrents together, in bytes per second; 0 is no
	// limit.
	Down, Up int64
	// Alone leaves its torrents out of the rates of EngineLimits.
	Alone bool
}

// groups are the groups of an Engine. It is safe for concurrent use.
type groups struct {
	mu  sync.Mutex
	all map[string]*groupLimits // those that were set, or that torrents have named
}

// groupLimits are the limits of one group.
type groupLimits struct{ down, up *limit.Group }

// get returns the limits of a group, nil for the group without a name.
func (g *groups) get(e *Engine, name string) (down, up *limit.Group) {
	if name == "" {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.find(e, name)
	return l.down, l.up
}

// find returns the limits of a group, which it makes if need be. g.mu is held.
func (g *groups) find(e *Engine, name string) *groupLimits {
	if g.all == nil {
		g.all = make(map[string]*groupLimits)
	}
	l := g.all[name]
	if l == nil {
		l = &groupLimits{e.down.NewGroup(), e.up.NewGroup()}
		g.all[name] = l
	}
	return l
}

// SetGroups sets the groups of the engine from now on, in place of those that were set before.
// Torrents of other groups have no limits of a group.
func (e *Engine) SetGroups(list []Group) {
	e.groups.mu.Lock()
	defer e.groups.mu.Unlock()
	limited := make(map[string]bool, len(list))
	for _, group := range list {
		limited[group.Name] = true
		l := e.groups.find(e, group.Name)
		l.down.Set(group.Down, group.Alone)
		l.up.Set(group.Up, group.Alone)
	}
	for name, l := range e.groups.all {
		if !limited[name] {
			l.down.Set(0, false)
			l.up.Set(0, false)
		}
	}
}
