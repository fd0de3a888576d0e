package stream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/swarm"
)

// retryTime is when a request that found everything in use may come again.
const retryTime = 10 * time.Second

// A problem is an answer that is an error (RFC 9457).
type problem struct {
	Type   string        `json:"type"`
	Title  string        `json:"title"`
	Status int           `json:"status"`
	Detail string        `json:"detail"` // a sentence for users
	retry  time.Duration // 0 says nothing
}

func (p *problem) Error() string { return p.Detail }

// problemf returns a problem.
func problemf(status int, format string, args ...any) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...)}
}

// busy returns the problem of something that is in use.
func busy(format string, args ...any) *problem {
	p := problemf(http.StatusServiceUnavailable, format, args...)
	p.retry = retryTime
	return p
}

// problemOf returns the problem for an error.
func problemOf(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		return problemf(refusal.Status, "%v", refusal)
	}
	_, full := errors.AsType[*daemon.SpaceError](err)
	_, unkept := errors.AsType[*daemon.KeepError](err)
	_, gone := errors.AsType[*daemon.GoneError](err)
	switch {
	case full, unkept:
		return problemf(http.StatusInsufficientStorage, "%v", err)
	case errors.Is(err, daemon.ErrRemoved), errors.Is(err, swarm.ErrNoFile):
		return problemf(http.StatusNotFound, "%v", err)
	case gone, errors.Is(err, daemon.ErrNoInfo), errors.Is(err, swarm.ErrNoContent),
		errors.Is(err, swarm.ErrChanged):
		return problemf(http.StatusConflict, "%v", err)
	case errors.Is(err, swarm.ErrReaders), errors.Is(err, daemon.ErrTooManyVisits),
		errors.Is(err, daemon.ErrTooMany), errors.Is(err, daemon.ErrClosed),
		errors.Is(err, swarm.ErrMemory), errors.Is(err, swarm.ErrStopped),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return busy("%v", err)
	}
	return problemf(http.StatusInternalServerError, "%v", err)
}

// fail answers with an error.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	h := w.Header()
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		refusal.Header(h)
	}
	p := problemOf(err)
	if p.retry > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.retry.Seconds())))
	}
	h.Del("ETag")
	h.Del("Content-Disposition")
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	if r.Method == http.MethodHead {
		return
	}
	if body, err := json.Marshal(p); err == nil {
		w.Write(append(body, '\n')) // if the other side has gone, nobody misses it
	}
}
