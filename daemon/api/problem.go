package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"swarmnode"
	"swarmnode/daemon"
	"swarmnode/daemon/confine"
	"swarmnode/daemon/control"
	"swarmnode/swarm"
	"swarmnode/swarm/storage"
)

// problemType is the content type of errors.
const problemType = "application/problem+json"

// problemf returns a Problem.
func problemf(status int, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: fmt.Sprintf(format, args...)}
}

// wrong returns the Problem of a value that cannot be taken.
func wrong(name, format string, args ...any) *Problem {
	p := problemf(http.StatusUnprocessableEntity, format, args...)
	p.Name = name
	return p
}

// writeProblem answers with an error.
func writeProblem(w http.ResponseWriter, err error) *Problem {
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		refusal.Header(w.Header())
	}
	p := problemOf(err)
	w.Header().Set("Content-Type", problemType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	body, err := json.Marshal(p)
	if err == nil {
		w.Write(append(body, '\n'))
	}
	return p
}

// problemOf returns the Problem for an error.
func problemOf(err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if refusal, ok := errors.AsType[*control.Refusal](err); ok {
		return problemf(refusal.Status, "%v", refusal)
	}
	if e, ok := errors.AsType[*daemon.ExistsError](err); ok {
		p := problemf(http.StatusConflict, "%v", e)
		p.ID, p.Hash = e.Torrent.ID(), e.Torrent.Hash().String()
		return p
	}
	if e, ok := errors.AsType[*daemon.OptionError](err); ok {
		return wrong(optionName(e.Name), "%s: %v", optionName(e.Name), e.Err)
	}
	if e, ok := errors.AsType[*daemon.SettingError](err); ok {
		return wrong(e.Name, "%v", e)
	}
	if e, ok := errors.AsType[*swarmnode.DownloadError](err); ok {
		if e.Network {
			return problemf(http.StatusBadGateway, "%v", e)
		}
		return wrong("source", "%v", e)
	}
	return problemf(statusOf(err), "%v", err)
}

// optionName returns the name that this interface gives to an option of package daemon.
func optionName(name string) string {
	switch name {
	case "peers":
		return "max-peers"
	case "ratio", "time", "idle":
		return "seed-" + name
	}
	return name
}

// statusOf returns the status for an error without a type of its own.
func statusOf(err error) int {
	_, outside := errors.AsType[*daemon.PathError](err)
	_, unkept := errors.AsType[*daemon.KeepError](err)
	_, narrow := errors.AsType[*daemon.SpaceError](err)
	switch {
	case outside, errors.Is(err, confine.ErrOutside):
		return http.StatusForbidden
	case errors.Is(err, confine.ErrRelative), errors.Is(err, confine.ErrForm),
		errors.Is(err, confine.ErrLong), errors.Is(err, confine.ErrLinks),
		errors.Is(err, storage.ErrName):
		return http.StatusUnprocessableEntity
	case unkept, narrow:
		return http.StatusInsufficientStorage
	case errors.Is(err, daemon.ErrRemoved), errors.Is(err, daemon.ErrNoCreation):
		return http.StatusNotFound
	case errors.Is(err, daemon.ErrNoInfo), errors.Is(err, daemon.ErrMoving),
		errors.Is(err, daemon.ErrAdopted), errors.Is(err, daemon.ErrEnded),
		errors.Is(err, storage.ErrExists):
		return http.StatusConflict
	case errors.Is(err, daemon.ErrClosed), errors.Is(err, swarm.ErrMemory),
		errors.Is(err, daemon.ErrTooMany), errors.Is(err, daemon.ErrBusy),
		errors.Is(err, daemon.ErrTooManyVisits),
		errors.Is(err, daemon.ErrCreating), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, context.Canceled):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
