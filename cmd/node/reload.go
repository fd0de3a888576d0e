package main

import (
	"context"
	"strings"

	"github.com/spf13/pflag"

	"swarmnode/daemon/api"
	"swarmnode/daemon/client"
)

func reloadCommand() *command {
	return &command{
		name:  "reload",
		short: "make the daemon read its configuration again",
		long: `The daemon takes what can change while it runs, and the command says what that is
and what counts from the next start on. With a mistake in the configuration everything
stays as it was. The blocklists are read again, too. SIGHUP does the same.`,
		examples: []example{{"node reload", "after a change of the configuration file"}},
		setup: func(fs *pflag.FlagSet) action {
			f := new(remoteFlags)
			f.register(fs)
			return f.with(func(ctx context.Context, c *console, d *client.Client,
				_ []string) error {
				done, err := d.Reload(ctx)
				if err != nil {
					return err
				}
				c.event("reload", reloadOf(done))
				c.note("%s", reloadText(done))
				return nil
			})
		},
	}
}

// reloadText says what a reload has done.
func reloadText(done api.Reloaded) string {
	var parts []string
	if len(done.Changed) > 0 {
		parts = append(parts, "new: "+strings.Join(done.Changed, ", "))
	}
	if len(done.Restart) > 0 {
		parts = append(parts, "from the next start on: "+strings.Join(done.Restart, ", "))
	}
	if len(parts) == 0 {
		return "nothing has changed"
	}
	return strings.Join(parts, "; ")
}
