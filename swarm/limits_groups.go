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

// groups are the groups of an Engine that were set or have a member. It is safe for concurrent
// use.
type groups struct {
	mu  sync.Mutex
	all map[string]*groupLimits
}

// groupLimits are the limits of one group.
type groupLimits struct {
	down, up *limit.Group
	set      bool // by SetGroups
	members  int  // torrents that name the group
}

// join adds a member to a group, and returns the limits of the group: nil for the group without
// a name.
func (g *groups) join(e *Engine, name string) (down, up *limit.Group) {
	if name == "" {
		return nil, nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.find(e, name)
	l.members++
	return l.down, l.up
}

// leave ends join.
func (g *groups) leave(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.all[name]; l != nil && name != "" {
		l.members--
		g.tidy(name, l)
	}
}

// find returns the limits of a group, which it makes if need be. g.mu is held.
func (g *groups) find(e *Engine, name string) *groupLimits {
	if g.all == nil {
		g.all = make(map[string]*groupLimits)
	}
	l := g.all[name]
	if l == nil {
		l = &groupLimits{down: e.down.NewGroup(), up: e.up.NewGroup()}
		g.all[name] = l
	}
	return l
}

// tidy forgets a group that was not set and has no member. g.mu is held.
func (g *groups) tidy(name string, l *groupLimits) {
	if !l.set && l.members == 0 {
		delete(g.all, name)
	}
}

// SetGroups sets the groups of the engine from now on, in place of those that were set before.
// Torrents of other groups have no limits of a group.
func (e *Engine) SetGroups(list []Group) {
	g := &e.groups
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range g.all {
		l.set = false
	}
	for _, group := range list {
		l := g.find(e, group.Name)
		l.set = true
		l.down.Set(group.Down, group.Alone)
		l.up.Set(group.Up, group.Alone)
	}
	for name, l := range g.all {
		if !l.set {
			l.down.Set(0, false)
			l.up.Set(0, false)
			g.tidy(name, l)
		}
	}
}
