//go:build linux

package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"swarmnode/internal/proc"
)

// A Service is a program of Debian that runs on a host until the lab is closed.
type Service struct {
	name    string
	process *proc.Process
	log     *os.File
}

const (
	serviceWaitMax  = 20 * time.Second
	serviceLook     = 5 * time.Millisecond
	serviceLogShown = 4 << 10 // bytes of the log in an error
)

// serve starts a program on a host and waits until it prints that it serves.
func (h *Host) serve(ctx context.Context, words []string, ready string) (*Service, error) {
	log, err := os.Create(h.file(filepath.Base(words[0]) + ".log"))
	if err != nil {
		return nil, err
	}
	enter := append(h.Enter(), words...)
	s := &Service{name: words[0], log: log}
	s.process, err = proc.Start(proc.Config{
		Path: enter[0], Args: enter[1:], Dir: "/run", Stdout: log, Stderr: log,
	})
	if err != nil {
		log.Close()
		return nil, err
	}
	h.lab.services = append(h.lab.services, s)
	ctx, cancel := context.WithTimeout(ctx, serviceWaitMax)
	defer cancel()
	tick := time.NewTicker(serviceLook)
	defer tick.Stop()
	for !strings.Contains(s.Log(), ready) {
		select {
		case <-ctx.Done():
			return nil, s.failed(ctx.Err())
		case <-s.process.Done():
			return nil, s.failed(errors.New("it has ended"))
		case <-tick.C:
		}
	}
	return s, nil
}

// file returns the path of a file of the host, in a folder that vanishes with the lab.
func (h *Host) file(name string) string { return filepath.Join("/run", h.Name+"-"+name) }

// Log returns what the program has printed.
func (s *Service) Log() string {
	all, err := os.ReadFile(s.log.Name())
	if err != nil {
		return "" // it shows nothing, and the wait for it ends
	}
	return string(all)
}

func (s *Service) failed(err error) error {
	log := s.Log()
	log = log[max(0, len(log)-serviceLogShown):]
	return fmt.Errorf("waiting for %s: %w:\n%s", s.name, err, log)
}

// Stop ends the program as an administrator does: miniupnpd removes its rules then.
func (s *Service) Stop() {
	s.process.Stop()
	s.log.Close()
}

// Kill ends the program as a crash does.
func (s *Service) Kill() {
	s.process.Kill()
	s.log.Close()
}
