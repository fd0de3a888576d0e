package core

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"swarmnode/swarm/block"
	"swarmnode/swarm/book"
	"swarmnode/swarm/endpoint"
	"swarmnode/swarm/wire"
)

var eventNames = [eventKinds]string{
	Tick: "tick", Moved: "moved", Found: "found", DialFailed: "dial failed",
	DialPutOff: "dial put off", Private: "private", Connected: "connected", Closed: "closed",
	Received: "received", ReceivedBlock: "block", Sent: "sent", Answered: "answered",
	ReadFailed: "read failed",
	InfoReady:  "info ready", InfoFailed: "info failed", Verified: "verified", Failed: "failed",
	StorageFailed: "storage failed", StorageWorks: "storage works", Hashed: "hashed",
	Paused: "paused", Resumed: "resumed", Doubted: "doubted", Limited: "limited", Shed: "shed",
	PEXOff: "pex off", PEXOn: "pex on", Rebound: "rebound", Blocked: "blocked",
	PublicPortsChanged: "public ports changed",
	RelayFound:         "relay found", RelayLost: "relay lost", PathsChanged: "paths changed",
	Unacked: "unacked",
}

var commandNames = [...]string{
	0:                                "prioritize",
	didEvict - didPrioritize:         "evict",
	didSetSequential - didPrioritize: "set sequential",
	didSetDeadlines - didPrioritize:  "set deadlines",
	didSetOwn - didPrioritize:        "set own",
	didSetExternal - didPrioritize:   "set external",
	didSetPriorities - didPrioritize: "set priorities",
}

var markNames = [...]string{"out", "encrypted", "broken", "vouched", "costly", "on", "have",
	"need", "met", "short", "tcp", "utp", "accepts-utp", "relay"}

// String returns the name of the kind.
func (k EventKind) String() string {
	switch {
	case int(k) < len(eventNames) && eventNames[k] != "":
		return eventNames[k]
	case k >= didPrioritize && k < commandEnd:
		return commandNames[k-didPrioritize]
	}
	return "unknown"
}

// hyphens makes a name of several words one word of a dump.
func hyphens(name string) string { return strings.ReplaceAll(name, " ", "-") }

// The words of a dump for kinds of events and messages.
var kindWords, messageWords = func() (kinds map[string]EventKind, messages map[string]wire.ID) {
	kinds, messages = map[string]EventKind{}, map[string]wire.ID{}
	for k := range EventKind(commandEnd) {
		if name := k.String(); name != "unknown" {
			kinds[hyphens(name)] = k
		}
	}
	for id := range 256 {
		messages[hyphens(wire.ID(id).String())] = wire.ID(id)
	}
	return kinds, messages
}()

// text returns the names of the marks.
func (k marks) text() string {
	var names []string
	for bit, name := range markNames {
		if k.has(1 << bit) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// parseMarks reads what text returned.
func parseMarks(s string) (k marks, ok bool) {
	for name := range strings.SplitSeq(s, ",") {
		bit := slices.Index(markNames[:], name)
		if bit < 0 {
			return 0, false
		}
		k |= 1 << bit
	}
	return k, true
}

// writeText writes e as a line: the nanoseconds since the entry before, the digest, what
// happened, and what about it is not zero.
func (e *entry) writeText(b *strings.Builder, last time.Duration) {
	fmt.Fprintf(b, "%d %02x %s", e.at-last, e.digest, hyphens(e.kind.String()))
	for _, f := range [...]struct {
		name string
		on   bool
		text func() string
	}{
		{"peer", e.peer != 0, func() string { return u(uint64(e.peer)) }},
		{"msg", e.kind == Received, func() string { return hyphens(e.msg.String()) }},
		{"ext", e.ext != 0, func() string { return u(uint64(e.ext)) }},
		{"ref", e.ref != block.Ref{}, func() string {
			return fmt.Sprintf("%d.%d.%d", e.ref.Piece, e.ref.Begin, e.ref.Length)
		}},
		{"n", e.count != 0, func() string { return i(e.count) }},
		{"is", e.marks != 0, e.marks.text},
		{"from", e.source != 0, func() string { return u(uint64(e.source)) }},
		{"why", e.fault != 0, func() string { return u(uint64(e.fault)) }},
		{"at", e.endpoint != endpoint.Endpoint{},
			func() string { return endpointText(e.endpoint) }},
		{"met", e.met != 0, func() string { return strconv.FormatInt(int64(e.met), 10) }},
		{"data", len(e.body) > 0, func() string { return hex.EncodeToString(e.body) }},
	} {
		if f.on {
			b.WriteString(" " + f.name + "=" + f.text())
		}
	}
	b.WriteByte('\n')
}

// parseText reads the words that writeText wrote. It reports false if they are something
// else.
func (e *entry) parseText(words []string, last time.Duration) (ok bool) {
	if len(words) < 3 {
		return false
	}
	after, err := strconv.ParseInt(words[0], 10, 64)
	digest, err2 := strconv.ParseUint(words[1], 16, 8)
	kind, known := kindWords[words[2]]
	if err != nil || err2 != nil || !known || after < 0 || last+time.Duration(after) < last {
		return false
	}
	e.at, e.digest, e.kind = last+time.Duration(after), uint8(digest), kind
	return !slices.ContainsFunc(words[3:], func(word string) bool {
		name, value, _ := strings.Cut(word, "=")
		return !e.parseField(name, value)
	})
}

// parseField sets one field.
func (e *entry) parseField(name, value string) (ok bool) {
	number := func(bits int) uint64 {
		n, err := strconv.ParseUint(value, 10, bits)
		ok = err == nil
		return n
	}
	switch name {
	case "peer":
		e.peer = PeerRef(number(32))
	case "msg":
		e.msg, ok = messageWords[value]
	case "ext":
		e.ext = uint8(number(8))
	case "ref":
		return e.parseRef(value)
	case "n":
		e.count = int(number(31))
	case "is":
		e.marks, ok = parseMarks(value)
	case "from":
		e.source = book.Source(number(8))
		ok = ok && e.source < book.SourceCount
	case "why":
		e.fault = book.Fault(number(8))
		ok = ok && e.fault < book.FaultCount
	case "at":
		e.endpoint, ok = parseEndpointText(value)
	case "met":
		n, err := strconv.ParseInt(value, 10, 64)
		e.met, ok = time.Duration(n), err == nil
	case "data":
		b, err := hex.DecodeString(value)
		e.body, ok = b, err == nil && len(b) <= recordedBody
	}
	return ok
}

// parseRef reads a block as PIECE.BEGIN.LENGTH.
func (e *entry) parseRef(value string) (ok bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 {
		return false
	}
	for k, into := range [...]*uint32{&e.ref.Piece, &e.ref.Begin, &e.ref.Length} {
		n, err := strconv.ParseUint(parts[k], 10, 32)
		if err != nil {
			return false
		}
		*into = uint32(n)
	}
	return true
}
