package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/metainfo"
)

// A call is one request. Its handler owns it.
type call struct {
	api *API
	w   http.ResponseWriter
	r   *http.Request
	who control.Identity
}

// allowed refuses a request of somebody who may not ask for it, and parameters that the route
// does not have.
func (c *call) allowed(route *route) error {
	if c.who.Scope < route.scope {
		return problemf(http.StatusForbidden, "this needs the scope %v, the login has %v",
			route.scope, c.who.Scope)
	}
	for name := range c.r.URL.Query() {
		if !route.takes(name) {
			return wrong(name, "there is no parameter %q", name)
		}
	}
	return nil
}

// query returns the value of a parameter, or nothing.
func (c *call) query(name string) string { return c.r.URL.Query().Get(name) }

// number returns the value of a parameter that is a number from 0 to most, or otherwise.
func (c *call) number(name string, otherwise, most int) (int, error) {
	text := c.query(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, wrong(name, "%s: want a number from 0 to %d", name, most)
	}
	return n, nil
}

// yes returns the value of a parameter that is true or false; false if it is not given.
func (c *call) yes(name string) (bool, error) {
	switch c.query(name) {
	case "":
		return c.r.URL.Query().Has(name), nil
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, wrong(name, "%s: want true or false", name)
}

// torrent returns the torrent that the path names, by its number or its info-hash.
func (c *call) torrent() (*daemon.Torrent, error) {
	name := c.r.PathValue("id")
	if t := c.api.find(name); t != nil {
		return t, nil
	}
	return nil, problemf(http.StatusNotFound, "there is no torrent %q", name)
}

// find returns the torrent with that number or info-hash, or nil.
func (a *API) find(name string) *daemon.Torrent {
	if len(name) == 40 || len(name) == 64 {
		if hash, err := metainfo.ParseHash(name[:40]); err == nil {
			return a.daemon.Torrent(hash)
		}
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 32)
	if err != nil || id <= 0 {
		return nil
	}
	return a.daemon.ByID(daemon.ID(id))
}

// body reads the body as JSON into a value. An empty body leaves it as it is if it may.
func (c *call) body(into any, emptyToo bool) error { return c.bodyUpTo(into, emptyToo, bodyMax) }

// bodyUpTo is body with a bound.
func (c *call) bodyUpTo(into any, emptyToo bool, most int64) error {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind != "" && kind != "application/json" {
		return problemf(http.StatusUnsupportedMediaType,
			"the body is %s, want application/json", kind)
	}
	doc, release, err := c.api.cfg.Gate.ReadBody(c.w, c.r, most)
	if err != nil {
		return err
	}
	defer release()
	if len(bytes.TrimSpace(doc)) == 0 && emptyToo {
		return nil
	}
	return parse(doc, into)
}

// parse reads JSON, in which nothing may be unknown.
func parse(doc []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return problemf(http.StatusBadRequest, "something follows the JSON value")
		}
		return nil
	}
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return wrong(e.Field, "%s: a %s cannot be used here", e.Field, e.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return wrong(strings.Trim(name, `"`), "there is no field %s", name)
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return problemf(http.StatusBadRequest, "the JSON is wrong at byte %d: %v", e.Offset, e)
	}
	return problemf(http.StatusBadRequest, "the JSON is wrong: %v", err)
}

// answer sends a value as JSON.
func (c *call) answer(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(status)
	c.w.Write(append(body, '\n'))
	return nil
}

// ok sends a value.
func (c *call) ok(value any) error { return c.answer(http.StatusOK, value) }

// done says that it is done.
func (c *call) done() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// mayUse refuses a folder outside of those that the one who asks may use.
func (c *call) mayUse(dir string) error {
	if !daemon.Confined(c.r.Context()) {
		return nil
	}
	return c.api.daemon.Allowed(dir)
}
