package hook

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// execute runs c and waits for its end.
func (r *Runner) execute(c Command) {
	log := r.log.With("event", c.Event, "torrent", c.Torrent, "program", c.Args[0])
	var out output
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir = workingDir()
	cmd.Env = environment(c.Env)
	cmd.Stdout, cmd.Stderr = &out, &out // one pipe for both
	cmd.WaitDelay = r.times.pipe
	group(cmd)
	began := time.Now()
	err := cmd.Start()
	if c.Began != nil {
		c.Began()
	}
	if err != nil {
		log.Warn("command cannot be started", "err", err)
		return
	}
	ended := make(chan error, 1)
	r.workers.Go(func() { ended <- cmd.Wait() })
	cut, err := r.await(cmd, ended)
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it has left programs behind that have its output: that is its own affair
	}
	attrs := []any{"dur", time.Since(began).Round(time.Millisecond)}
	if text := out.String(); text != "" {
		attrs = append(attrs, "output", text)
	}
	switch {
	case cut != "":
		log.Warn("command was ended: "+cut, append(attrs, "err", err)...)
	case err != nil:
		log.Warn("command failed", append(attrs, "err", err)...)
	default:
		log.Info("command ended", attrs...)
	}
}

// await waits for the end of a command, and brings it about when its time is over. cut says
// why it did.
func (r *Runner) await(cmd *exec.Cmd, ended <-chan error) (cut string, err error) {
	limit := time.NewTimer(r.times.limit)
	defer limit.Stop()
	select {
	case err := <-ended:
		return "", err
	case <-limit.C:
		cut = "it ran for " + r.times.limit.String()
		terminate(cmd)
	case <-r.kill:
		kill(cmd)
		return "the daemon ends", <-ended
	}
	grace := time.NewTimer(r.times.grace)
	defer grace.Stop()
	select {
	case err := <-ended:
		// Its children had the same signal; who ignored it is not let off.
		kill(cmd)
		return cut, err
	case <-grace.C:
	case <-r.kill:
	}
	kill(cmd)
	return cut, <-ended
}

// workingDir returns the folder in which commands run: one that is always there, and that
// nobody wants to remove.
func workingDir() string {
	dir, err := os.Getwd()
	if err != nil {
		return string(filepath.Separator)
	}
	return filepath.VolumeName(dir) + string(filepath.Separator)
}

const outputMax = 4096

// An output keeps the beginning of what a command prints, and swallows the rest.
type output struct {
	kept []byte // len <= outputMax
	more bool
}

// Write keeps what there is room for. It never fails, so that a talkative command goes on.
func (o *output) Write(p []byte) (int, error) {
	room := outputMax - len(o.kept)
	o.kept = append(o.kept, p[:min(room, len(p))]...)
	o.more = o.more || len(p) > room
	return len(p), nil
}

// String returns what was printed, on one line without control characters.
func (o *output) String() string {
	text := strings.ToValidUTF8(string(o.kept), "?")
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, text)
	text = strings.TrimSpace(text)
	if o.more {
		text += " ..."
	}
	return text
}
