package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"swarmnode"
	"swarmnode/dht"
)

// checkHostPort checks the form of HOST:PORT.
func checkHostPort(s string) error {
	_, err := dht.ParseHost(s)
	return err
}

// noBootstrap is the value of --bootstrap for a node that asks nobody.
const noBootstrap = "none"

// checkBootstrap checks a value of --bootstrap: HOST:PORT, turn:HOST:PORT, @FILE or none. The
// file is read later.
func checkBootstrap(s string) error {
	if s == noBootstrap || strings.HasPrefix(s, "@") && len(s) > 1 {
		return nil
	}
	if strings.HasPrefix(s, "turn:") {
		return nil // checked later: errors repeat what is wrong, and it may hold a password
	}
	return checkHostPort(s)
}

// bootstrapFileMax bounds a file of bootstrap hosts, in bytes.
const bootstrapFileMax = 1 << 20

// bootstrapHosts expands the values of --bootstrap. Without any, it reads def, which has
// the form of bootstrap.txt. It warns of lines of a file that are neither HOST:PORT nor a relay,
// and leaves them out.
func bootstrapHosts(c *console, values []string, def string) (hosts, relays []string, err error) {
	if len(values) == 0 {
		hosts, _ = dht.ParseBootstrap([]byte(def))
		relays, _ = swarmnode.ParseRelays([]byte(def))
		return hosts, relays, nil
	}
	for _, v := range values {
		switch {
		case v == noBootstrap:
			if len(values) > 1 {
				return nil, nil, usage(c.command,
					errors.New("--bootstrap none excludes every other --bootstrap"))
			}
		case strings.HasPrefix(v, "@"):
			text, err := readInput(v[1:], bootstrapFileMax)
			if err != nil {
				return nil, nil, err
			}
			more, faults := dht.ParseBootstrap(text)
			uris, wrong := swarmnode.ParseRelays(text)
			for _, fault := range append(faults, wrong...) {
				c.warn("%s: %v", v[1:], fault)
			}
			hosts, relays = append(hosts, more...), append(relays, uris...)
		case strings.HasPrefix(v, "turn:"):
			if err := swarmnode.CheckRelay(v); err != nil {
				return nil, nil, usage(c.command, fmt.Errorf("--bootstrap: %w", err))
			}
			relays = append(relays, v)
		default:
			hosts = append(hosts, v)
		}
	}
	return hosts, relays, nil
}

// readInput reads a file that the user named, of at most limit bytes.
func readInput(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fail(diskCode(err), path, err)
	}
	defer f.Close()
	return readAll(f, path, limit)
}

// readAll reads an open file.
func readAll(f *os.File, path string, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, fail(exitInput, path, errors.New("is a folder"))
	} else if err == nil {
		// ReadFrom needs this much free space at the end.
		b.Grow(int(min(st.Size(), limit)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, fail(diskCode(err), path, err)
	}
	if int64(b.Len()) > limit {
		return nil, fail(exitInput, path, fmt.Errorf("longer than %s", formatBytes(limit)))
	}
	return b.Bytes(), nil
}
