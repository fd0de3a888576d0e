package utp_test

import (
	"errors"
	"fmt"
	"net"

	"swarmnode/swarm/transport/utp"
)

// A connection that timed out says so as those of package net do.
func ExampleErrTimeout() {
	var err net.Error
	fmt.Println(errors.As(utp.ErrTimeout, &err) && err.Timeout())
	// Output: true
}
