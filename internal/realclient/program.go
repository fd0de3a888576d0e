//go:build linux

package realclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"swarmnode/internal/proc"
)

// Run is the main function of a program that measures clients. It starts the program
// again in a network namespace of its own, and calls measure there with a context that
// SIGINT or SIGTERM ends. An error is printed behind name and ends the program with exit
// code 1. Where no namespace can be made, the program says so and ends with 0, since
// there is nothing to measure.
func Run(name string, measure func(ctx context.Context) error) {
	var err error
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	if Inside() {
		err = measure(ctx)
	} else {
		err = again(ctx)
	}
	stop()
	switch exit := (exitCode)(0); {
	case errors.As(err, &exit):
		os.Exit(int(exit))
	case err != nil:
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}

// An exitCode is how the program in the namespace ended; it has printed why.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// again runs this program in a network namespace.
func again(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p, err := StartInNamespace(proc.Config{Path: self, Args: os.Args[1:], Stdout: os.Stdout,
		Stderr: os.Stderr})
	if err != nil {
		fmt.Println("left out:", err)
		return nil
	}
	select {
	case <-p.Done():
		if code := p.ExitCode(); code != 0 {
			return exitCode(code)
		}
		return nil
	case <-ctx.Done():
		p.Stop()
		return exitCode(1)
	}
}
