package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"swarmnode/swarm"
)

// groupsMax bounds the groups of bandwidth.
const groupsMax = 256

// A Group is a set of torrents that share a rate: those that name it in Options.Group.
type Group struct {
	Name string `json:"name"`
	// Down and Up are in bytes per second, for all its torrents together; 0 is no limit.
	Down int64 `json:"down,omitempty"`
	Up   int64 `json:"up,omitempty"`
	// Alone leaves its torrents out of the limits of Settings.
	Alone bool `json:"alone,omitempty"`
}

// ErrNoGroup says that there is no group of a name.
var ErrNoGroup = errors.New("there is no such group")

// Groups returns the groups that have limits.
func (d *Daemon) Groups() []Group { return slices.Clone(d.Settings().Groups) }

// SetGroup adds a group, or changes the one of that name. The error is that of Change.
func (d *Daemon) SetGroup(ctx context.Context, g Group) error {
	return d.Change(ctx, func(s *Settings) {
		for i := range s.Groups {
			if s.Groups[i].Name == g.Name {
				s.Groups[i] = g
				return
			}
		}
		s.Groups = append(s.Groups, g)
	})
}

// RemoveGroup removes a group. Torrents that name it have no limits of a group any more. The
// error is ErrNoGroup, or that of Change.
func (d *Daemon) RemoveGroup(ctx context.Context, name string) error {
	found := false
	err := d.Change(ctx, func(s *Settings) {
		s.Groups = slices.DeleteFunc(s.Groups, func(g Group) bool {
			found = found || g.Name == name
			return g.Name == name
		})
	})
	if err == nil && !found {
		return ErrNoGroup
	}
	return err
}

// checkGroups checks groups.
func checkGroups(groups []Group) error {
	if len(groups) > groupsMax {
		return fmt.Errorf("there are %d, at most %d", len(groups), groupsMax)
	}
	names := make(map[string]bool, len(groups))
	for _, g := range groups {
		if g.Name == "" {
			return errors.New("a group needs a name")
		}
		if names[g.Name] {
			return fmt.Errorf("there are two with the name %q", g.Name)
		}
		names[g.Name] = true
		if err := errors.Join(checkText(g.Name, groupBytesMax), checkLimit(g.Down),
			checkLimit(g.Up)); err != nil {
			return fmt.Errorf("%q: %w", g.Name, err)
		}
	}
	return nil
}

// groupsInNode returns groups as the node has them.
func groupsInNode(list []Group) []swarm.Group {
	groups := make([]swarm.Group, len(list))
	for i, g := range list {
		groups[i] = swarm.Group(g)
	}
	return groups
}
