package transmission

import (
	"context"
	"errors"

	"swarmnode/daemon"
	"swarmnode/swarm"
)

// A code is the number of an error in JSON-RPC.
type code int

// The codes: those of JSON-RPC 2.0, and those that Transmission adds.
const (
	codeParse          code = -32700
	codeInvalidRequest code = -32600
	codeNoMethod       code = -32601
	codeInvalidParams  code = -32602
	codeInternal       code = -32603

	codeAnnounceList code = 1
	codeTrackerList  code = 2
	codeNotAbsolute  code = 3
	codeUnrecognized code = 4
	codeSystem       code = 5
	codeFileRange    code = 6
	codePieceRange   code = 7
	codeHTTP         code = 8
	codeCorrupt      code = 9
	codeBlocklist    code = 10
)

// message returns the words for a code that programs compare.
func (c code) message() string {
	switch c {
	case codeParse:
		return "Parse error"
	case codeInvalidRequest:
		return "Invalid Request"
	case codeNoMethod:
		return "Method not found"
	case codeInvalidParams:
		return "Invalid params"
	case codeAnnounceList:
		return "error setting announce list"
	case codeTrackerList:
		return "Invalid tracker list"
	case codeNotAbsolute:
		return "path is not absolute"
	case codeUnrecognized:
		return "unrecognized info"
	case codeSystem:
		return "system error"
	case codeFileRange:
		return "file index out of range"
	case codePieceRange:
		return "piece index out of range"
	case codeHTTP:
		return "HTTP error from backend service"
	case codeCorrupt:
		return "invalid or corrupt torrent file"
	case codeBlocklist:
		return "couldn't parse any valid blocklist rules"
	}
	return "Internal error"
}

// A fault is what is wrong with a request, or what went wrong with it. The text is for users,
// and clients of the legacy protocol get nothing else; empty means the message of the code.
type fault struct {
	code code
	text string
	keep bool // what the method has written belongs to the answer
}

func (f *fault) Error() string {
	if f.text == "" {
		return f.code.message()
	}
	return f.text
}

// invalid returns the fault of a request whose parameters make no sense.
func invalid(text string) error { return &fault{code: codeInvalidParams, text: text} }

// errMemory says that an answer has no room.
var errMemory = errors.New("memory limit reached: no room for the answer")

// faultOf returns the fault that tells a client of an error.
func faultOf(err error) *fault {
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	c := codeSystem
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, daemon.ErrClosed):
		c = codeInternal
	case isType[*daemon.OptionError](err), isType[*daemon.SettingError](err),
		isType[*daemon.PathError](err):
		c = codeInvalidParams
	case errors.Is(err, swarm.ErrMemory):
		c = codeInternal
	}
	return &fault{code: c, text: err.Error()}
}

// isType reports whether err wraps an E.
func isType[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// errCut says that an answer ended after a part of it was sent.
var errCut = errors.New("the answer cannot be sent to its end")
