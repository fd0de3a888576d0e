package dht

import (
	"errors"
	"fmt"

	"github.com/anacrolix/dht/v2/krpc"
)

// Errors of the exported functions.
var (
	// ErrClosed: the Node was closed.
	ErrClosed = errors.New("dht: node closed")
	// ErrFamily: the Node has no connection for the family of that address.
	ErrFamily = errors.New("dht: no connection for that address family")
	// ErrTimeout: the node asked did not answer in time.
	ErrTimeout = errors.New("dht: no answer")
	// ErrNotFound: no node that was asked holds the item.
	ErrNotFound = errors.New("dht: item not found")
	// ErrNotStored: no node accepted the announce or the item.
	ErrNotStored = errors.New("dht: no node stored it")
	// ErrBusy: the Node has as many requests open as its limits allow.
	ErrBusy = errors.New("dht: too many requests at once")
	// ErrItem: a value, salt or key does not fit BEP 44.
	ErrItem = errors.New("dht: item is not valid")
)

// RemoteError is an error that another node answered with: BEP 5, "Errors",
// and BEP 44, "Errors".
type RemoteError struct {
	Code int
	Text string // as received, at most 100 bytes
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("dht: remote error %d: %q", e.Code, e.Text)
}

// remoteTextMax bounds the text kept of a remote error.
const remoteTextMax = 100

// krpcError is an error that we send as an answer.
type krpcError struct {
	code int
	text string
}

var (
	errorID        = krpcError{krpc.ErrorCodeProtocolError, "id of 20 bytes missing"}
	errorTarget    = krpcError{krpc.ErrorCodeProtocolError, "target of 20 bytes missing"}
	errorToken     = krpcError{krpc.ErrorCodeProtocolError, "invalid token"}
	errorPort      = krpcError{krpc.ErrorCodeProtocolError, "invalid port"}
	errorItem      = krpcError{krpc.ErrorCodeProtocolError, "invalid item"}
	errorMethod    = krpcError{krpc.ErrorCodeMethodUnknown, "Method Unknown"}
	errorFull      = krpcError{krpc.ErrorCodeServerError, "store full"}
	errorValue     = krpcError{krpc.ErrorCodeMessageValueFieldTooBig, "value too big"}
	errorSignature = krpcError{krpc.ErrorCodeInvalidSignature, "invalid signature"}
	errorSalt      = krpcError{krpc.ErrorCodeSaltFieldTooBig, "salt too big"}
	errorCas       = krpcError{krpc.ErrorCodeCasHashMismatched, "cas does not match the stored seq"}
	errorSeq       = krpcError{krpc.ErrorCodeSequenceNumberLessThanCurrent,
		"seq is less than the stored one"}
)
