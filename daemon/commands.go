package daemon

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"swarmnode"
	"swarmnode/daemon/hook"
)

const (
	// scriptVersion is TR_APP_VERSION: that of the Transmission whose variables these are.
	scriptVersion = "4.1.0"
	// sameError is how long the same error of a torrent does not run a command again.
	sameError = time.Hour
	// toldMax bounds the errors that are remembered for that.
	toldMax = 10_000
)

// The events that run commands, as records name them.
const (
	dueAdded    = "added"
	dueComplete = "complete"
	dueError    = "error"
)

// commands run the commands of the settings at events. They are safe for concurrent use.
type commands struct {
	d      *Daemon
	runner *hook.Runner

	mu   sync.Mutex
	told map[*Torrent]told // the last error of each torrent
}

// A told is an error that a command has heard of.
type told struct {
	kind string // its text, or its cause
	at   time.Time
}

func newCommands(d *Daemon) *commands {
	return &commands{d: d, runner: hook.New(d.log), told: make(map[*Torrent]told)}
}

// check warns of commands whose program is not there now.
func (c *commands) check(s *Settings) {
	for _, command := range []struct {
		name string
		args []string
	}{{"on-added", s.OnAdded}, {"on-complete", s.OnComplete}, {"on-error", s.OnError}} {
		if len(command.args) == 0 {
			continue
		}
		if _, err := exec.LookPath(command.args[0]); err != nil {
			c.d.log.Warn("the program of a command cannot be found", "event", command.name, "err",
				err)
		}
	}
}

// args returns the command of an event, and the name of its setting.
func (c *commands) args(event string) ([]string, string) {
	s := c.d.Settings()
	switch event {
	case dueAdded:
		return s.OnAdded, "on-added"
	case dueComplete:
		return s.OnComplete, "on-complete"
	}
	return s.OnError, "on-error"
}

// owe records that the command of an event is still to be run, so that another process does that
// if this one dies first. It reports false if there is no command.
func (c *commands) owe(t *Torrent, event string) bool {
	if args, _ := c.args(event); len(args) == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !slices.Contains(t.rec.Due, event) {
		t.rec.Due = append(slices.Clone(t.rec.Due), event)
		t.edited(0)
	}
	return true
}

// pay runs the command of an event that is owed.
func (c *commands) pay(t *Torrent, event string) {
	t.mu.Lock()
	owed := slices.Contains(t.rec.Due, event) && !t.drive.paying
	if owed && event == dueComplete {
		t.drive.paying = true
	}
	t.mu.Unlock()
	if owed {
		c.run(t, event, func() { t.paid(event) })
	}
}

// paid records that the command of an event has begun.
func (t *Torrent) paid(event string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if event == dueComplete {
		t.drive.paying = false
	}
	if i := slices.Index(t.rec.Due, event); i >= 0 {
		t.rec.Due = slices.Delete(slices.Clone(t.rec.Due), i, i+1)
		t.edited(0)
	}
}

// failed runs the command for an error, unless it has heard of the same kind lately.
func (c *commands) failed(t *Torrent, kind string) {
	if args, _ := c.args(dueError); len(args) == 0 {
		return
	}
	now := time.Now()
	c.mu.Lock()
	last, known := c.told[t]
	again := known && last.kind == kind && now.Sub(last.at) < sameError
	if !again && (known || len(c.told) < toldMax) {
		c.told[t] = told{kind, now}
	}
	c.mu.Unlock()
	if !again {
		c.run(t, dueError, nil)
	}
}

// forget is told that a torrent was removed.
func (c *commands) forget(t *Torrent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.told, t)
}

// run runs the command of an event, if there is one.
func (c *commands) run(t *Torrent, event string, began func()) {
	args, name := c.args(event)
	if len(args) == 0 {
		if began != nil {
			began()
		}
		return
	}
	err := c.runner.Run(hook.Command{Args: args, Env: t.environment(event), Event: name,
		Torrent: t.hash.Short(), Began: began})
	if err != nil {
		c.d.log.Warn("command is not run", "event", name, "torrent", t.hash.Short(), "err", err)
	}
}

// environment returns the variables that tell a command of an event: those that Transmission
// documents, and ours of the same.
func (t *Torrent) environment(event string) []string {
	s, now := t.State(), time.Now()
	t.mu.Lock()
	var trackers []string
	for _, tier := range t.trackerTiers() {
		trackers = append(trackers, tier...)
	}
	labels, rank := t.rec.Options.Labels, t.rec.Options.Rank
	t.mu.Unlock()
	env := []string{
		hook.Variable("TR_APP_VERSION", scriptVersion),
		hook.Variable("TR_TIME_LOCALTIME", now.Format("Mon Jan 02 15:04:05 2006")),
		hook.Variable("SWARM_VERSION", swarmnode.Version),
		hook.Variable("SWARM_EVENT", event),
		hook.Variable("SWARM_TIME", now.UTC().Format(time.RFC3339)),
		hook.Variable("SWARM_TORRENT_ERROR", s.Error),
		hook.Variable("SWARM_TORRENT_SIZE", strconv.FormatInt(s.Size, 10)),
	}
	for _, prefix := range []string{"TR_TORRENT_", "SWARM_TORRENT_"} {
		env = append(env,
			hook.Variable(prefix+"BYTES_DOWNLOADED", strconv.FormatInt(s.Totals.Down, 10)),
			hook.Variable(prefix+"DIR", s.Dir),
			hook.Variable(prefix+"HASH", t.hash.String()),
			hook.Variable(prefix+"ID", strconv.Itoa(int(t.id))),
			hook.List(prefix+"LABELS", labels),
			hook.Variable(prefix+"NAME", pathElement(s.Name)),
			hook.Variable(prefix+"PRIORITY", strconv.Itoa(rank)),
			hook.List(prefix+"TRACKERS", trackers))
	}
	return env
}

// pathElement returns a name that cannot lead out of a folder: scripts append it to one. The
// names of torrents are such names; those of links are not.
func pathElement(name string) string {
	name = strings.Map(func(c rune) rune {
		if c == '/' || c == '\\' {
			return '_'
		}
		return c
	}, name)
	if strings.Trim(name, ".") == "" {
		return "_"
	}
	return name
}
