package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/daemon/client"
)

const (
	// autostartTime is how long a daemon that was started may take until it answers.
	autostartTime = 60 * time.Second
	// autostartOther is the same for one that somebody else has started just before.
	autostartOther = 10 * time.Second
	// autostartPoll is the pause between two questions whether it does.
	autostartPoll = 100 * time.Millisecond
	// daemonLogName is the file in the state folder with what such a daemon says.
	daemonLogName = "daemon.log"
	// daemonLogMax bounds that file when a daemon starts, in bytes. An older one is kept beside it.
	daemonLogMax = 1 << 20
	// lastLineMax bounds what is shown of it, in bytes.
	lastLineMax = 4 << 10
)

// start starts a daemon in the background, with the configuration file of this command, and waits
// until it answers.
func (f *handFlags) start(ctx context.Context, c *console, d *client.Client) error {
	self, err := os.Executable()
	if err != nil {
		return fail(exitDaemon, "starting a daemon", err)
	}
	state := f.value("state-dir")
	if state == "" {
		if state, err = defaultStateDir(); err != nil {
			return fail(exitDisk, "state folder", err)
		}
	}
	path := filepath.Join(state, daemonLogName)
	log, start, err := openDaemonLog(path)
	if err != nil {
		return fail(exitDisk, path, err)
	}
	defer log.Close()
	args := []string{"daemon"}
	for _, name := range []string{"config", "socket", "state-dir"} {
		value := f.value(name)
		if value != "" && value != noConfig {
			if value, err = filepath.Abs(value); err != nil {
				return fail(exitDisk, f.value(name), err)
			}
		}
		if value != "" {
			args = append(args, "--"+name, value)
		}
	}
	cmd := exec.Command(self, args...)
	cmd.Args[0] = os.Args[0] // whose name the messages have
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, string(filepath.Separator)
	leaveSession(cmd)
	if err := cmd.Start(); err != nil {
		return fail(exitDaemon, "starting a daemon", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	own, err := awaitDaemon(ctx, d, ended)
	if err != nil {
		why := err
		if last := lastLine(path, start); last != "" {
			why = errors.New(last)
		}
		return failWithHint(exitDaemon, "the daemon that was started", why, path)
	}
	if pid := d.Process(ctx); own && pid != 0 && pid != cmd.Process.Pid {
		// Ours is late: it would run once the one that answers has ended.
		_ = cmd.Process.Kill()
		<-ended
		own = false
	}
	if !own {
		return nil
	}
	c.note("started a daemon, process %d, which writes to %s", cmd.Process.Pid, path)
	return nil
}

// openDaemonLog opens the log, and returns how long it is.
func openDaemonLog(path string) (f *os.File, size int64, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, 0, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > daemonLogMax {
		if err := os.Rename(path, path+".old"); err != nil {
			return nil, 0, err
		}
	}
	f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// awaitDaemon waits until a daemon answers. It reports whether that is the one whose end died
// tells of, rather than one that somebody else has started just before.
func awaitDaemon(ctx context.Context, d *client.Client, died <-chan error) (own bool, err error) {
	tick := time.NewTicker(autostartPoll)
	defer tick.Stop()
	patience := autostartTime
	late := time.After(patience)
	own = true
	for {
		_, err := d.Session(ctx)
		if err == nil || !client.NoDaemon(err) {
			return own, err
		}
		select {
		case <-tick.C:
		case err := <-died:
			exit, ok := errors.AsType[*exec.ExitError](err)
			if !ok || exit.ExitCode() != exitExists {
				return own, errors.New("has ended at once")
			}
			own, died, patience = false, nil, autostartOther // another one has the state folder
			late = time.After(patience)
		case <-late:
			return own, fmt.Errorf("does not answer after %v", patience)
		case <-ctx.Done():
			return own, context.Cause(ctx)
		}
	}
}

// lastLine returns the last line that a file has behind a place.
func lastLine(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	text, err := io.ReadAll(io.NewSectionReader(f, max(from, info.Size()-lastLineMax), lastLineMax))
	if err != nil {
		return ""
	}
	return lastOf(string(text))
}

// lastOf returns the last line of a text that is not empty.
func lastOf(text string) (last string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return last
}

// value returns the value of a flag of the command.
func (f *handFlags) value(name string) string {
	flag := f.fs.Lookup(name)
	if flag == nil {
		return ""
	}
	return flag.Value.String()
}
