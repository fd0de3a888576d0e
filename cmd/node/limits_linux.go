package main

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// descriptorsLeft returns how many more files can be opened, counting up to max. It
// tries, because more than the limit bounds that.
func descriptorsLeft(max int) int {
	var opened []int
	defer func() {
		for _, fd := range opened {
			unix.Close(fd)
		}
	}()
	for _, from := range []uintptr{2, 1, 0} {
		for len(opened) < max {
			fd, err := unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				if err == unix.EBADF { // it is closed
					break
				}
				return len(opened)
			}
			opened = append(opened, fd)
		}
	}
	if len(opened) == 0 { // there is no file to try with
		return max
	}
	return len(opened)
}

// tasksLookedAt bounds the limits of threads that are checked, because counting the
// threads of a user with many takes long.
const tasksLookedAt = 1024

// tasksLeft returns how many more threads the user may start; limited is false if there
// is no limit, or one far away.
func tasksLeft() (left int, limited bool) {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &r) != nil || r.Cur > tasksLookedAt || os.Geteuid() == 0 {
		return 0, false
	}
	used := 0
	paths, _ := filepath.Glob("/proc/[0-9]*/status")
	for _, path := range paths {
		used += threadsOf(path, os.Getuid())
	}
	return int(r.Cur) - used, true
}

// threadsOf returns the number of threads of a process, read from its status, if the
// process belongs to that user.
func threadsOf(status string, user int) int {
	b, err := os.ReadFile(status)
	if err != nil {
		return 0 // it has ended
	}
	threads, owner := 0, -1
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		fmt.Sscanf(lines.Text(), "Uid: %d", &owner)
		fmt.Sscanf(lines.Text(), "Threads: %d", &threads)
	}
	if owner != user {
		return 0
	}
	return threads
}

// addressesLeft returns how many more bytes of address space, and of data in it, the
// process may take; limited is false if there is no bound.
func addressesLeft() (left int64, limited bool) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	var pages [6]int64 // size, resident, shared, text, library, data and stack
	for i, field := range bytes.Fields(b) {
		if i < len(pages) {
			pages[i], _ = strconv.ParseInt(string(field), 10, 64)
		}
	}
	left = math.MaxInt64
	for resource, used := range map[int]int64{unix.RLIMIT_AS: pages[0],
		unix.RLIMIT_DATA: pages[5]} {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) != nil || r.Cur > math.MaxInt64 {
			continue
		}
		limited = true
		left = min(left, int64(r.Cur)-used*int64(os.Getpagesize()))
	}
	return left, limited
}
