//go:build linux

package realclient

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"swarmnode/internal/proc"
)

// besideClient begins the line by which a failed test inside says that a foreign
// program took part in it. The rest of the line is the name of the test.
const besideClient = "beside a foreign program: "

// aloneWaitMax bounds how long a repeated test waits for the other tests with
// foreign programs to end. It goes ahead afterwards, less alone.
const aloneWaitMax = 10 * time.Minute

// A run is the outcome of one run of a test inside.
type run struct {
	err    error
	output string
}

// repeat runs a test in a namespace and reports the outcome as that of t. The parts
// that failed beside a foreign program are run once more, alone, and the second
// outcome counts: such a part can fail by a fault of the other program, or by a
// patience of that program that a loaded machine exceeds. A part that fails without
// a foreign program fails the test at once.
func repeat(t *testing.T, env []string) {
	t.Helper()
	among, err := lockClients(syscall.LOCK_SH)
	if err != nil {
		t.Fatal(err)
	}
	first := runInside(t, env, insideArgs(t, "", parallelTests))
	among()
	again := first.repeatable(t.Name())
	if again == "" {
		first.report(t)
		return
	}
	alone, err := lockClients(syscall.LOCK_EX)
	if err != nil {
		t.Fatal(err)
	}
	defer alone()
	t.Logf("first run: FAIL of %s; once more, alone:", again)
	second := runInside(t, env, insideArgs(t, again, 1))
	if second.passed(t.Name()) {
		t.Logf("second run, alone: PASS of %s, which failed beside other tests", again)
	} else {
		t.Logf("second run, alone: FAIL of %s, as in the first", again)
	}
	second.report(t)
}

// runInside runs the test binary with args in a namespace and waits for it. The
// time limit of the tests inside bounds the wait.
func runInside(t *testing.T, env, args []string) run {
	t.Helper()
	// The output is shown as it comes, and kept for the verdict in it.
	var out bytes.Buffer
	both := io.MultiWriter(&out, t.Output())
	p, err := StartInNamespace(proc.Config{
		Path: os.Args[0], Args: args, Stdout: both, Stderr: both,
		Env: slices.Concat(env, []string{inNamespace + "=" + t.Name()}),
	})
	if err != nil {
		skipOrFail(t, err.Error())
	}
	err = p.Wait()
	return run{err: err, output: out.String()}
}

// passed reports whether the test has run and passed.
func (r run) passed(name string) bool {
	return r.err == nil && strings.Contains(r.output, "--- PASS: "+name+" ")
}

// report reports the outcome as that of t.
func (r run) report(t *testing.T) {
	t.Helper()
	switch {
	case r.passed(t.Name()):
	case r.err != nil:
		t.Fatalf("in a network namespace: %v", r.err)
	case strings.Contains(r.output, "--- SKIP: "+t.Name()+" "):
		t.Skip("skipped in its network namespace, see above")
	default:
		t.Fatal("the test did not run in its network namespace")
	}
}

// failedLine and besideLine find the names of tests in the output of a run.
var (
	failedLine = regexp.MustCompile(`(?m)^ *--- FAIL: (\S+) `)
	besideLine = regexp.MustCompile(`(?m)` + regexp.QuoteMeta(besideClient) + `(\S+)$`)
)

// repeatable returns the pattern for -test.run that matches the failed parts of a
// run, or "" if one of them failed without a foreign program, or none did: then a
// panic or a time-out ended the run, which is never a fault of others.
func (r run) repeatable(name string) string {
	if r.err == nil {
		return ""
	}
	beside := names(besideLine, r.output)
	failed := leaves(names(failedLine, r.output))
	if len(failed) == 0 || strings.Contains(r.output, "\npanic: ") ||
		strings.Contains(r.output, "WARNING: DATA RACE") {
		return ""
	}
	for _, f := range failed {
		if !slices.ContainsFunc(beside, func(b string) bool {
			return f == b || strings.HasPrefix(f, b+"/")
		}) {
			return ""
		}
	}
	return pattern(name, failed)
}

// names returns the first group of each match.
func names(exp *regexp.Regexp, output string) []string {
	var all []string
	for _, match := range exp.FindAllStringSubmatch(output, -1) {
		if !slices.Contains(all, match[1]) {
			all = append(all, match[1])
		}
	}
	return all
}

// leaves drops the names of tests of which a subtest is listed as well: such a
// test fails when its subtest does.
func leaves(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(name string) bool {
		return slices.ContainsFunc(all, func(other string) bool {
			return strings.HasPrefix(other, name+"/")
		})
	})
}

// pattern returns the argument of -test.run that runs the given tests, all of
// which are name or subtests of it, and few others.
func pattern(name string, tests []string) string {
	var levels [][]string
	for _, test := range tests {
		for i, element := range strings.Split(test, "/") {
			if i == len(levels) {
				levels = append(levels, nil)
			}
			element = regexp.QuoteMeta(element)
			if !slices.Contains(levels[i], element) {
				levels[i] = append(levels[i], element)
			}
		}
	}
	if slices.Contains(tests, name) {
		levels = levels[:1] // the whole test
	}
	words := make([]string, len(levels))
	for i, level := range levels {
		words[i] = "^(" + strings.Join(level, "|") + ")$"
	}
	return strings.Join(words, "/")
}

// insideArgs are the flags with which the test binary runs t alone, or only the
// parts that a pattern matches.
func insideArgs(t *testing.T, parts string, parallel int) []string {
	if parts == "" {
		parts = "^" + regexp.QuoteMeta(t.Name()) + "$"
		// The part of -run that chooses subtests still applies.
		if f := flag.Lookup("test.run"); f != nil {
			if _, subtests, ok := strings.Cut(f.Value.String(), "/"); ok {
				parts += "/" + subtests
			}
		}
	}
	args := []string{"-test.run=" + parts, "-test.v=true", "-test.count=1",
		fmt.Sprintf("-test.parallel=%d", parallel)}
	if deadline, ok := t.Deadline(); ok {
		left := max(time.Until(deadline)-childMargin, time.Second)
		args = append(args, "-test.timeout="+left.String())
	}
	for _, name := range []string{"test.artifacts", "test.outputdir"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != f.DefValue {
			args = append(args, "-"+name+"="+f.Value.String())
		}
	}
	return args
}

// Beside says of a test that a foreign program takes part in it. The program may be at fault
// if the test fails, so InNamespace runs it once more, alone.
func Beside(t testing.TB) {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s%s", besideClient, t.Name())
		}
	})
}

// lockClients takes the lock that all tests with foreign programs on this machine share
// while they run (LOCK_SH), and that a repeated test takes for itself (LOCK_EX). It
// returns the function that releases the lock.
func lockClients(how int) (unlock func(), err error) {
	name := fmt.Sprintf("swarmnode-clients-%d", os.Getuid())
	f, err := os.OpenFile(filepath.Join(os.TempDir(), name),
		os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking out other tests with clients: %w", err)
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for end := time.Now().Add(aloneWaitMax); time.Now().Before(end); <-tick.C {
		if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err == nil {
			break
		}
	}
	return func() { f.Close() }, nil
}
