//go:build linux

// Package proc runs child processes for tests, benchmarks and the demo. It
// owns one promise: a child never outlives the program that started it,
// whether that program ends well, panics or is killed.
//
// A Process is one child in a process group of its own. The package never
// looks a process up by name and never signals one that it did not start.
//
// Linux only, like the programs it serves: it relies on PR_SET_PDEATHSIG and
// on /proc.
package proc

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Grace is how long Stop waits after SIGTERM before it sends SIGKILL. Clients
// that say goodbye to their trackers and save their state need about a second.
const Grace = 3 * time.Second

// clockTick is the unit of the times in /proc/PID/stat. It has been 10 ms on
// every architecture that Go supports under Linux.
const clockTick = 10 * time.Millisecond

// Config says what to run.
type Config struct {
	Path string   // executable, looked up in PATH when it has no slash
	Args []string // without the program's name
	Dir  string   // working directory; empty: that of the caller
	Env  []string // added to the caller's environment
	// variables of the caller's environment that start with this are left out;
	// empty: none are
	Hide   string
	Stdin  io.Reader // nil: /dev/null
	Stdout io.Writer // nil: /dev/null
	Stderr io.Writer // nil: /dev/null
}

// Process is a running or ended child. It is safe for concurrent use.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once cmd.Wait has returned
	err  error         // what Wait returned; read after done is closed

	stop sync.Once
}

// Start starts the child. The kernel kills it when the calling program dies.
func Start(cfg Config) (*Process, error) {
	cmd := exec.Command(cfg.Path, cfg.Args...)
	cmd.Dir = cfg.Dir
	for _, v := range os.Environ() {
		if cfg.Hide == "" || !strings.HasPrefix(v, cfg.Hide) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, cfg.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = cfg.Stdin, cfg.Stdout, cfg.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	// A grandchild that holds our pipes open must not keep Wait from returning.
	cmd.WaitDelay = Grace

	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The parent-death signal is sent when the *thread* that forked ends,
		// so that thread has to live as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cfg.Path, err)
	}
	return p, nil
}

// Pid is the child's process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and its output has been copied.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait blocks until the child has ended. Its error is an *exec.ExitError when
// the child ended with another code than 0 or by a signal.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// ExitCode is the child's exit code, or -1 while it runs or when a signal
// ended it.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Signal sends sig to the child alone, not to its group.
func (p *Process) Signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

// Stop ends the child and its whole group: SIGTERM, then SIGKILL after Grace.
// It returns when the child has been waited for; further calls do nothing.
func (p *Process) Stop() {
	p.stop.Do(func() {
		group := -p.Pid()
		select {
		case <-p.done:
			// The leader is gone, what it left behind is not waited for.
			_ = syscall.Kill(group, syscall.SIGKILL)
			return
		default:
		}
		_ = syscall.Kill(group, syscall.SIGTERM)
		timer := time.NewTimer(Grace)
		defer timer.Stop()
		select {
		case <-p.done:
		case <-timer.C:
		}
		_ = syscall.Kill(group, syscall.SIGKILL)
		<-p.done
	})
}

// Kill ends the child and its whole group by SIGKILL, as a crash would, and waits
// for it.
func (p *Process) Kill() {
	p.stop.Do(func() {
		_ = syscall.Kill(-p.Pid(), syscall.SIGKILL)
		<-p.done
	})
}

// Usage is what a process has used so far.
type Usage struct {
	CPU     time.Duration // user and system time of all its threads
	PeakRSS int64         // high-water mark of the resident set, in bytes; 0 once it has ended
	Anon    int64         // anonymous part of the resident set now, in bytes; 0 once it has ended
}

// Usage measures the child. While it runs the CPU time has the grain of
// /proc, 10 ms; once it has ended the figure is exact.
func (p *Process) Usage() (Usage, error) {
	select {
	case <-p.done:
		state := p.cmd.ProcessState
		return Usage{CPU: state.UserTime() + state.SystemTime()}, nil
	default:
	}
	// The resident set is read from /proc and not from rusage: a child forked
	// by vfork inherits its parent's maximum there.
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Pid()))
	if err != nil {
		return u, fmt.Errorf("measuring process: %w", err)
	}
	if u.CPU, err = parseStat(string(stat)); err != nil {
		return u, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid()))
	if err != nil {
		return u, fmt.Errorf("measuring process: %w", err)
	}
	u.PeakRSS = statusBytes(string(status), "VmHWM:")
	u.Anon = statusBytes(string(status), "RssAnon:")
	return u, nil
}

// parseStat returns the sum of utime and stime, fields 14 and 15 of
// /proc/PID/stat. The second field, the command in parentheses, may hold
// spaces and parentheses, so fields are counted from its last one.
func parseStat(stat string) (time.Duration, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, errors.New("measuring process: stat without a command")
	}
	fields := strings.Fields(stat[end+1:])
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, errors.New("measuring process: stat is too short")
	}
	var ticks int64
	for _, f := range []string{fields[utime], fields[stime]} {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("measuring process: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// statusBytes returns the value of a "Key:  123 kB" line in bytes, 0 if the
// line is not there.
func statusBytes(status, key string) int64 {
	for line := range strings.Lines(status) {
		rest, ok := strings.CutPrefix(line, key)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest),
			"kB")), 10, 64)
		if err != nil {
			return 0
		}
		return n << 10
	}
	return 0
}
