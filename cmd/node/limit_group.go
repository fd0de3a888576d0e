package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"

	"swarmnode/daemon"
	"swarmnode/daemon/client"
)

// groupFlags are about groups of torrents that share limits. Those of the rates are limitFlags.
type groupFlags struct {
	name   string
	alone  bool
	all    bool
	remove string
}

func (f *groupFlags) register(fs *pflag.FlagSet) {
	fs.StringVar(&f.name, "group", "", "show or change the limits of the group `NAME` in place "+
		"of those of all torrents")
	fs.BoolVar(&f.alone, "alone", false,
		"with --group, the limits of all torrents do not count for it")
	fs.BoolVar(&f.all, "groups", false, "list the groups that have limits")
	fs.StringVar(&f.remove, "rm-group", "", "remove the limits of the group `NAME`")
}

// group: a group of torrents that share limits.
type groupEvent struct {
	Name  string `json:"name"`
	Down  int64  `json:"down"`
	Up    int64  `json:"up"`
	Alone bool   `json:"alone"`
}

// onGroups reports whether the command is about groups.
func (f *limitFlags) onGroups() bool {
	return f.given("group") || f.given("groups") || f.given("rm-group")
}

// given reports whether the command line has a flag.
func (f *limitFlags) given(name string) bool { return f.fs.Changed(name) }

// checkGroups returns a failure unless the flags fit each other.
func (f *limitFlags) checkGroups(c *console) error {
	if !f.onGroups() {
		if f.given("alone") {
			return usage(c.command, errors.New("--alone needs --group"))
		}
		return nil
	}
	main := ""
	for _, name := range []string{"group", "groups", "rm-group"} {
		if f.given(name) && main != "" {
			return usage(c.command, fmt.Errorf("only one of --%s and --%s can be given", main,
				name))
		} else if f.given(name) {
			main = name
		}
	}
	fits := []string{main}
	if main == "group" {
		fits = append(fits, "down", "up", "alone")
	}
	var wrong error
	f.fs.Visit(func(flag *pflag.Flag) {
		if wrong == nil && isTyped(flag) && !slices.Contains(fits, flag.Name) {
			wrong = usage(c.command, fmt.Errorf("--%s is not for --%s", flag.Name, main))
		}
	})
	for _, name := range []string{f.group.name, f.group.remove} {
		if name == "." || name == ".." {
			wrong = usage(c.command, fmt.Errorf("%q cannot be the name of a group", name))
		}
	}
	if wrong == nil && (main == "group" && f.group.name == "" ||
		main == "rm-group" && f.group.remove == "") {
		wrong = usage(c.command, fmt.Errorf("--%s needs the name of a group", main))
	}
	return wrong
}

// runGroups lists, shows, changes or removes groups.
func (f *limitFlags) runGroups(ctx context.Context, c *console, d *client.Client) error {
	if f.given("rm-group") {
		if err := d.RemoveGroup(ctx, f.group.remove); err != nil {
			return remoteFailure(quoteSource(f.group.remove), err)
		}
		c.note("the group %s has no limits any more", f.group.remove)
		return nil
	}
	groups, err := d.Groups(ctx)
	if err != nil {
		return err
	}
	if f.given("groups") {
		showGroups(c, groups)
		return nil
	}
	i := slices.IndexFunc(groups, func(g daemon.Group) bool { return g.Name == f.group.name })
	g := daemon.Group{Name: f.group.name}
	if i >= 0 {
		g = groups[i]
	}
	if !f.given("down") && !f.given("up") && !f.given("alone") {
		if i < 0 {
			return failWithHint(exitInput, quoteSource(g.Name), daemon.ErrNoGroup,
				program+" limit --groups")
		}
		showGroups(c, []daemon.Group{g})
		return nil
	}
	if f.given("down") {
		g.Down = int64(f.down)
	}
	if f.given("up") {
		g.Up = int64(f.up)
	}
	if f.given("alone") {
		g.Alone = f.group.alone
	}
	if err := d.SetGroup(ctx, g); err != nil {
		return remoteFailure(quoteSource(g.Name), err)
	}
	c.event("group", groupEvent(g))
	c.note("%s: down %s, up %s, global limits %s", g.Name, rateText(float64(g.Down)),
		rateText(float64(g.Up)), withinText(g.Alone))
	return nil
}

// showGroups prints groups.
func showGroups(c *console, groups []daemon.Group) {
	for _, g := range groups {
		c.event("group", groupEvent(g))
	}
	if c.json {
		return
	}
	if len(groups) == 0 {
		c.note("no group has limits")
		return
	}
	t := &table{columns: []column{{head: "Down", right: true}, {head: "Up", right: true},
		{head: "Global limits"}, {head: "Group"}}}
	for _, g := range groups {
		t.add(rateText(float64(g.Down)), rateText(float64(g.Up)), withinText(g.Alone), g.Name)
	}
	c.table(t)
}

// withinText says whether the limits of all torrents count for a group, too.
func withinText(alone bool) string {
	if alone {
		return "do not count"
	}
	return "count"
}
