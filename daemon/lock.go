package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"swarmnode/swarm/statefile"
)

const (
	// lockFile is the lock of a daemon in the state folder. Foreground commands share the
	// folder and do not take it.
	lockFile = "daemon.lock"
	// lockBytesMax bounds what a LockError reads of it.
	lockBytesMax = 1 << 10
)

// takeLock takes the lock of a state folder, which it makes if there is none. The error is a
// *LockError if another daemon has it.
func takeLock(dir string) (*statefile.Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockFile)
	lock, err := statefile.Take(path)
	if errors.Is(err, statefile.ErrLocked) {
		return nil, holderOf(dir)
	}
	if err != nil {
		return nil, err
	}
	// Without room for these words the lock holds all the same.
	_ = lock.Write(fmt.Appendf(nil, "%d\n%s\n", os.Getpid(), time.Now().Format(time.RFC3339)))
	return lock, nil
}

// holderOf says who has the lock of a state folder.
func holderOf(dir string) *LockError {
	who := &LockError{Dir: dir}
	doc, _, err := statefile.Read(filepath.Join(dir, lockFile), lockBytesMax)
	if err != nil {
		return who
	}
	pid, started, _ := strings.Cut(strings.TrimSpace(string(doc)), "\n")
	if n, err := strconv.Atoi(pid); err == nil {
		who.PID = n
	}
	if at, err := time.Parse(time.RFC3339, started); err == nil {
		who.Started = at.Local().Format(time.DateTime)
	}
	return who
}
