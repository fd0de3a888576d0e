package transmission

import (
	"slices"

	"swarmnode/daemon"
)

// groupGet answers with the groups of bandwidth: those that "name" or "group" names, or all.
func groupGet(c *call) error {
	asked := c.params.get("name", "group")
	var wanted []string
	if s, ok := asked.text(); ok {
		wanted = append(wanted, s)
	}
	for element := range asked.elements() {
		if s, ok := element.text(); ok && len(wanted) < fieldsMax {
			wanted = append(wanted, s)
		}
	}
	all := asked.missing()
	w := c.out
	w.key("group")
	w.open('[')
	settings := c.h.daemon.Settings()
	for _, g := range c.h.daemon.Groups() {
		if !all && !slices.Contains(wanted, g.Name) {
			continue
		}
		w.open('{')
		w.name("honorsSessionLimits", "honors_session_limits")
		w.bool(!g.Alone)
		w.key("name")
		w.text(g.Name)
		note := func(what string) string { return settings.Notes[groupNote(g.Name, what)] }
		w.name("speed-limit-down", "speed_limit_down")
		w.int(speedOf(g.Down, note("speed_limit_down")))
		w.name("speed-limit-down-enabled", "speed_limit_down_enabled")
		w.bool(g.Down > 0)
		w.name("speed-limit-up", "speed_limit_up")
		w.int(speedOf(g.Up, note("speed_limit_up")))
		w.name("speed-limit-up-enabled", "speed_limit_up_enabled")
		w.bool(g.Up > 0)
		w.shut('}')
	}
	w.shut(']')
	return nil
}

// groupNote is the name of a note about a group.
func groupNote(group, what string) string { return notePrefix + "group." + group + "." + what }

// groupSet changes a group, or makes it.
func groupSet(c *call) error {
	name := c.params.text("name")
	if name == "" {
		return invalid("No group name given")
	}
	group := daemon.Group{Name: name}
	for _, g := range c.h.daemon.Groups() {
		if g.Name == name {
			group = g
		}
	}
	if is, ok := c.params.get("honorsSessionLimits", "honors_session_limits").truth(); ok {
		group.Alone = !is
	}
	settings := c.h.daemon.Settings()
	kept := map[string]string{}
	for _, limit := range []struct {
		number, on names
		bytes      *int64
	}{
		{names{"speed-limit-down", "speed_limit_down"},
			names{"speed-limit-down-enabled", "speed_limit_down_enabled"}, &group.Down},
		{names{"speed-limit-up", "speed_limit_up"},
			names{"speed-limit-up-enabled", "speed_limit_up_enabled"}, &group.Up},
	} {
		change := c.limit(limit.number, limit.on)
		if change == nil {
			continue
		}
		note := groupNote(name, limit.number[modern])
		own := map[string]string{notePrefix + limit.number[modern]: settings.Notes[note]}
		change(limit.bytes, &own)
		kept[note] = own[notePrefix+limit.number[modern]]
	}
	if err := c.h.daemon.SetGroup(c.ctx, group); err != nil {
		return err
	}
	if len(kept) == 0 {
		return nil
	}
	return c.h.daemon.Change(c.ctx, func(s *daemon.Settings) {
		for note, value := range kept {
			setNote(&s.Notes, note[len(notePrefix):], value)
		}
	})
}
