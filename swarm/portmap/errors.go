package portmap

import (
	"errors"
	"fmt"
)

// Errors of a Mapping.
var (
	// ErrNoGateway says that no router is known that could map the port: the machine has no
	// default route, or none from the address of the Want.
	ErrNoGateway = errors.New("no router is known")
	// ErrSilent says that the router answers to none of the protocols: most likely they are
	// switched off.
	ErrSilent = errors.New("the router offers no port mapping")
	// ErrExternal says that the router names an external address that nobody can have.
	ErrExternal = errors.New("the router names an impossible external address")
	// ErrNoExternal says that the router names no external address: its line is down, or it
	// is behind another router and maps no ports there.
	ErrNoExternal = errors.New("the router has no public address: it is offline, or behind " +
		"another router")
	// ErrRefused is wrapped by every RouterError.
	ErrRefused = errors.New("the router refused")
	// ErrWant says that a Want has port 0, or neither TCP nor UDP.
	ErrWant = errors.New("no such port")
	// ErrTooMany says that more ports are wanted than a Mapper maps.
	ErrTooMany = errors.New("too many ports are wanted")
	// ErrTooLong is the error of a document of a router with more than 256 KiB.
	ErrTooLong = errors.New("the answer of the router is too long")
	// ErrClosed says that the Mapper is closed.
	ErrClosed = errors.New("port mapping has ended")
)

// A RouterError is the refusal of a router. It wraps ErrRefused.
type RouterError struct {
	By   Method
	Code int    // the result code of the protocol, or zero
	Text string // what the router says about it, printable; it may be empty
}

func (e *RouterError) Error() string {
	s := fmt.Sprintf("%v the %v request", ErrRefused, e.By)
	if e.Text != "" {
		s += ": " + e.Text
	}
	if e.Code != 0 {
		s += fmt.Sprintf(" (code %d)", e.Code)
	}
	return s
}

// Unwrap returns ErrRefused.
func (e *RouterError) Unwrap() error { return ErrRefused }

// texts are the result codes of PCP (RFC 6887, section 7.4) and of NAT-PMP (RFC 6886, section
// 3.5).
var texts = map[Method][]string{
	PCP: {1: "unsupported version", 2: "not authorized", 3: "malformed request",
		4: "unsupported opcode", 5: "unsupported option", 6: "malformed option",
		7: "network failure", 8: "no resources", 9: "unsupported protocol",
		10: "quota exceeded", 11: "cannot provide that port", 12: "another NAT is in between",
		13: "too many remote peers"},
	NATPMP: {1: "unsupported version", 2: "not authorized", 3: "network failure",
		4: "out of resources", 5: "unsupported opcode"},
}

// refusal returns the error of a result code of PCP or NAT-PMP.
func refusal(by Method, code int) *RouterError {
	e := &RouterError{By: by, Code: code}
	if code < len(texts[by]) {
		e.Text = texts[by][code]
	}
	return e
}

// printable returns the first bytes of what a router says, without what acts on a terminal.
func printable(s string) string {
	const bytesMax = 80
	b := []byte(s[:min(len(s), bytesMax)])
	for i, c := range b {
		if c < ' ' || c > '~' {
			b[i] = '?'
		}
	}
	return string(b)
}
