package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"

	"swarmnode"
)

func versionCommand() *command {
	return &command{
		name:   "version",
		noFile: true,
		short:  "print the version",
		examples: []example{
			{"node version", "the version, and what it was built from and with"},
		},
		setup: func(*pflag.FlagSet) action {
			return func(_ context.Context, c *console, _ []string) error {
				v := versionEvent{swarmnode.Version, commit(), runtime.Version(), runtime.GOOS,
					runtime.GOARCH}
				c.event("version", v)
				with := v.Go
				if v.Commit != "" {
					with = v.Commit + ", " + with
				}
				c.result(fmt.Sprintf("%s %s (%s, %s/%s)", program, v.Version, with, v.OS, v.Arch))
				return nil
			}
		},
	}
}

// commit is the revision that the binary was built from, if it is known.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return ""
}

// version: the result of node version.
type versionEvent struct {
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}
