package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"swarmnode"
)

// A debugDump writes what a report of a defect needs to a file: when SIGQUIT asks for it,
// and at the end if the user has named the file.
type debugDump struct {
	c     *console
	node  *swarmnode.Node
	named string // --debug-dump
	dir   string // for files that the user has not named
	stop  func() // ends the waiting for signals

	done sync.WaitGroup
}

// watchDebug writes a dump of node at each SIGQUIT until close: to the file that is named, or
// into dir.
func watchDebug(c *console, node *swarmnode.Node, named, dir string) *debugDump {
	d := &debugDump{c: c, node: node, named: named, dir: dir}
	signals, stop := debugSignals()
	ended := make(chan struct{})
	d.stop = func() {
		stop()
		close(ended)
	}
	d.done.Go(func() {
		for {
			select {
			case <-signals:
				d.write(d.path())
			case <-ended:
				return
			}
		}
	})
	return d
}

// checkDebugDump fails if the file that the user has named could not be written.
func checkDebugDump(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fail(exitUsage, path, errors.New("is a folder, --debug-dump needs a file"))
	}
	f, err := createDebugPart(path)
	if err != nil {
		return fail(diskCode(err), path, err)
	}
	f.Close()
	os.Remove(f.Name())
	return nil
}

// createDebugPart creates the file that takes the place of path when it is whole.
func createDebugPart(path string) (*os.File, error) {
	return os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
}

// path returns the file to write: the one that the user has named, or one in the state
// folder, or without one in the current folder.
func (d *debugDump) path() string {
	if d.named != "" {
		return d.named
	}
	return filepath.Join(d.dir, "node-debug-"+time.Now().Format("20060102-150405")+".txt")
}

// write writes a dump. It goes to another file first, so that one that is there is never
// half a dump.
func (d *debugDump) write(path string) {
	f, err := createDebugPart(path)
	if err == nil {
		w := bufio.NewWriter(f)
		err = errors.Join(d.node.WriteDebug(w), w.Flush(), f.Close())
		if err == nil {
			err = os.Rename(f.Name(), path)
		}
		if err != nil {
			os.Remove(f.Name())
		}
	}
	if err != nil {
		d.c.warn("%v", fmt.Errorf("writing the debug dump: %w", plain(err)))
		return
	}
	d.c.event("dump", dumpEvent{path})
	d.c.note("the last events are in %s; see %s sim --replay", quoteSource(path), program)
}

// close writes the file that the user has named, and ends the waiting for signals.
func (d *debugDump) close() {
	d.stop()
	d.done.Wait()
	if d.named != "" {
		d.write(d.named)
	}
}

// dump: the last events of each torrent were written to a file.
type dumpEvent struct {
	Path string `json:"path"`
}
