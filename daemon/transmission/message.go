package transmission

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"swarmnode/daemon/control"
	"swarmnode/swarm"
)

const (
	// batchMax bounds the requests of one batch.
	batchMax = 100
	// idBytesMax bounds the id or the tag of a request, which the answer repeats.
	idBytesMax = 1024
	// answerBytesMax bounds the answer to one HTTP request. 100,000 torrents with all of the
	// usual fields take less.
	answerBytesMax = 256 << 20
	// roomStep is how many more bytes an answer takes between two looks at the memory.
	roomStep = 1 << 20
	// reserveMax bounds an answer that is made while memory is short, one at a time: a daemon
	// whose torrents take all memory must still show them. 20,000 torrents with the usual
	// fields take less.
	reserveMax = 8 << 20
)

// A call is one request, while it is answered.
type call struct {
	h      *Handler
	ctx    context.Context
	params params
	out    *writer // the members of the result go here

	id           value // of JSON-RPC; nil if there is none
	tag          value // of the legacy protocol, if it is an integer
	notification bool  // nobody waits for an answer
	checked      int   // bytes of the answer when the memory was looked at last
}

// room returns an error if the answer has become too long for the memory.
func (c *call) room() error {
	n := len(c.out.b)
	if n < c.checked+roomStep {
		return nil
	}
	c.checked = n
	if n+roomStep <= cap(c.out.b) { // that of an earlier answer
		return nil
	}
	switch {
	case n > answerBytesMax:
		return errMemory
	case !c.out.turn && swarm.MemorySpare(int64(2*n)):
		return nil
	case n > reserveMax:
		return errMemory
	case c.out.turn:
		return nil
	}
	select {
	case c.h.turn <- struct{}{}:
		c.out.turn = true
		return nil
	case <-c.ctx.Done():
		return errMemory
	}
}

// ends reports whether a request has no answer, because of an error that is no part of one, or
// because a part was sent that says nothing of an error.
func (w *writer) ends(err error) bool {
	return errors.Is(err, errMemory) || w.sent && err != nil
}

// endTurn lets the next answer be made while memory is short.
func (h *Handler) endTurn(w *writer) {
	if w.turn {
		<-h.turn
	}
}

// answer answers the body of a request of either protocol. It returns nothing if the body
// has notifications only, and what to has not sent of an answer; a nil to sends nothing. The
// error is errMemory or errCut.
func (h *Handler) answer(ctx context.Context, body, dst []byte,
	to func(part []byte) error) ([]byte, error) {
	w := &writer{b: dst, to: to}
	defer h.endTurn(w)
	doc, ok := parseValue(body)
	switch {
	case !ok && bytes.Contains(body, []byte(`"jsonrpc"`)):
		return refuse(w, nil, &fault{code: codeParse, text: "the request is not JSON"}), nil
	case ok && doc.kind() == '[':
		return h.batch(ctx, w, doc)
	case ok && doc.kind() == '{':
		m := parseMessage(doc)
		if m.jsonrpc != nil {
			return h.modern(ctx, w, m)
		}
		return h.legacy(ctx, w, m)
	}
	return refuseLegacy(w, nil, errNoMethod), nil
}

var errNoMethod = &fault{code: codeInvalidRequest, text: "no method name"}

// A message holds what a request has besides its parameters.
type message struct{ jsonrpc, method, params, arguments, id, tag value }

func parseMessage(doc value) (m message) {
	for name, v := range doc.members() {
		switch name {
		case "jsonrpc":
			m.jsonrpc = v
		case "method":
			m.method = v
		case "params":
			m.params = v
		case "arguments":
			m.arguments = v
		case "id":
			m.id = v
		case "tag":
			m.tag = v
		}
	}
	return m
}

// batch answers several requests of JSON-RPC 2.0 ("Batch").
func (h *Handler) batch(ctx context.Context, w *writer, doc value) ([]byte, error) {
	n := 0
	for range doc.elements() {
		n++
	}
	switch {
	case n == 0:
		return refuse(w, nil, &fault{code: codeInvalidRequest, text: "the batch is empty"}), nil
	case n > batchMax:
		return refuse(w, nil, &fault{code: codeInvalidRequest,
			text: fmt.Sprintf("a batch has at most %d requests", batchMax)}), nil
	}
	w.open('[')
	start := len(w.b)
	for element := range doc.elements() {
		var err error
		if element.kind() != '{' {
			refuse(w, nil, &fault{code: codeInvalidRequest, text: "a request is an object"})
		} else if _, err = h.modern(ctx, w, parseMessage(element)); err != nil {
			return nil, err
		}
	}
	if len(w.b) == start {
		return nil, nil
	}
	w.shut(']')
	return w.b, nil
}

// modern answers a request of JSON-RPC 2.0. Nothing is appended for a notification.
func (h *Handler) modern(ctx context.Context, w *writer, m message) ([]byte, error) {
	w.d = modern
	if v, _ := m.jsonrpc.text(); v != "2.0" {
		return refuse(w, nil, &fault{code: codeInvalidRequest,
			text: "the version of JSON-RPC is not 2.0"}), nil
	}
	if k := m.id.kind(); k != 0 && k != '"' && k != '0' && k != 'n' || len(m.id) > idBytesMax {
		return refuse(w, nil, &fault{code: codeInvalidRequest,
			text: "an id is a short string, a number or null"}), nil
	}
	c := call{h: h, ctx: ctx, out: w, id: m.id, notification: m.id == nil}
	name, ok := m.method.text()
	if !ok {
		return refuse(w, m.id, &fault{code: codeInvalidRequest, text: "no method name"}), nil
	}
	if k := m.params.kind(); k != 0 && k != '{' && k != 'n' {
		return c.refused(invalid("the parameters are an object")), nil
	}
	start := len(w.b)
	w.open('{')
	w.key("jsonrpc")
	w.text("2.0")
	w.key("result")
	w.open('{')
	result := len(w.b)
	err := c.run(name, m.params)
	if w.ends(err) {
		return nil, err
	}
	if c.notification {
		w.b = w.b[:start]
		return w.b, nil
	}
	if err != nil {
		f := faultOf(err)
		var kept []byte
		if f.keep {
			kept = bytes.Clone(w.b[result:])
		}
		w.b = w.b[:start]
		c.refuse(f, kept)
		return w.b, nil
	}
	w.shut('}')
	w.key("id")
	w.raw(m.id)
	w.shut('}')
	return w.b, nil
}

// refused answers with a fault, unless the request is a notification.
func (c *call) refused(err error) []byte {
	if !c.notification {
		c.refuse(faultOf(err), nil)
	}
	return c.out.b
}

// refuse answers with a fault and, in its data, the members that the method has written.
func (c *call) refuse(f *fault, kept []byte) {
	w := c.out
	w.open('{')
	w.key("jsonrpc")
	w.text("2.0")
	w.key("error")
	w.open('{')
	w.key("code")
	w.int(int64(f.code))
	w.key("message")
	w.text(f.code.message())
	if f.text != "" || len(kept) > 0 {
		w.key("data")
		w.open('{')
		if f.text != "" {
			w.key("error_string")
			w.text(f.text)
		}
		if len(kept) > 0 {
			w.key("result")
			w.open('{')
			w.b = append(w.b, kept...)
			w.shut('}')
		}
		w.shut('}')
	}
	w.shut('}')
	w.key("id")
	if c.id == nil {
		w.raw([]byte("null"))
	} else {
		w.raw(c.id)
	}
	w.shut('}')
}

// refuse answers a request of JSON-RPC that reaches no method.
func refuse(w *writer, id value, f *fault) []byte {
	(&call{out: w, id: id}).refuse(f, nil)
	return w.b
}

// legacy answers a request of the legacy protocol.
func (h *Handler) legacy(ctx context.Context, w *writer, m message) ([]byte, error) {
	w.d = legacy
	var tag value
	if _, isInt := m.tag.integer(); isInt && m.tag.kind() == '0' && len(m.tag) <= idBytesMax {
		tag = m.tag
	}
	name, ok := m.method.text()
	if !ok {
		return refuseLegacy(w, tag, errNoMethod), nil
	}
	c := call{h: h, ctx: ctx, out: w, tag: tag}
	w.open('{')
	w.key("arguments")
	w.open('{')
	result := len(w.b)
	err := c.run(name, m.arguments)
	if w.ends(err) {
		return nil, err
	}
	if err != nil {
		f := faultOf(err)
		if !f.keep {
			w.b = w.b[:result]
		}
		return endLegacy(w, f.Error(), tag), nil
	}
	return endLegacy(w, "success", tag), nil
}

// endLegacy ends the arguments of an answer, and says how the request went.
func endLegacy(w *writer, result string, tag value) []byte {
	w.shut('}')
	w.key("result")
	w.text(result)
	if tag != nil {
		w.key("tag")
		w.raw(tag)
	}
	w.shut('}')
	return w.b
}

// refuseLegacy answers a request of the legacy protocol that reaches no method.
func refuseLegacy(w *writer, tag value, f *fault) []byte {
	w.open('{')
	w.key("arguments")
	w.open('{')
	return endLegacy(w, f.Error(), tag)
}

// run calls a method, which writes the members of its result.
func (c *call) run(name string, arguments value) (err error) {
	method := methodOf(name)
	if method == nil {
		text := ""
		if c.out.d == legacy {
			text = "method name not recognized"
		}
		return &fault{code: codeNoMethod, text: text}
	}
	if err := c.may(method.scope); err != nil {
		return err
	}
	if c.params, err = parseParams(arguments); err != nil {
		return err
	}
	if c.notification && method.scope == control.Read {
		return nil
	}
	return method.run(c)
}
