package api

import (
	"errors"
	"net/http"

	"swarmnode/daemon"
)

// groups shows the groups of bandwidth.
func (c *call) groups() error {
	return c.ok(Groups{listOf(c.api.daemon.Groups())})
}

// setGroup adds a group, or changes its limits.
func (c *call) setGroup() error {
	var body GroupLimits
	if err := c.body(&body, false); err != nil {
		return err
	}
	g := daemon.Group{Name: c.r.PathValue("name"), Down: body.Down, Up: body.Up, Alone: body.Alone}
	if err := c.api.daemon.SetGroup(c.r.Context(), g); err != nil {
		return err
	}
	return c.groups()
}

// removeGroup removes a group.
func (c *call) removeGroup() error {
	err := c.api.daemon.RemoveGroup(c.r.Context(), c.r.PathValue("name"))
	if errors.Is(err, daemon.ErrNoGroup) {
		return problemf(http.StatusNotFound, "%v", err)
	}
	if err != nil {
		return err
	}
	return c.done()
}
