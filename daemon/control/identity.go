package control

import (
	"context"
	"fmt"
	"strings"
)

// A Scope says what somebody may do. Each one includes those before it.
type Scope uint8

// The scopes.
const (
	None    Scope = iota
	Read          // look at everything
	Control       // add, change and remove torrents
	Admin         // change settings, and end the daemon
)

func (s Scope) String() string {
	if s > Admin {
		return "unknown"
	}
	return [...]string{"none", "read", "control", "admin"}[s]
}

// ParseScope parses one scope, or several with commas, of which the widest counts.
func ParseScope(list string) (Scope, error) {
	widest := None
	for word := range strings.SplitSeq(list, ",") {
		switch strings.TrimSpace(word) {
		case "read":
			widest = max(widest, Read)
		case "control":
			widest = max(widest, Control)
		case "admin":
			widest = Admin
		default:
			return None, fmt.Errorf("unknown scope %q, want read, control or admin", word)
		}
	}
	return widest, nil
}

// An Identity says who asks.
type Identity struct {
	// Name is that of the user or token of the password file, "uid N" on the socket, and
	// empty for somebody who needed no login.
	Name  string
	Scope Scope
	// Owner says that it is the user of the daemon or root, on the socket: somebody who can
	// do everything that the daemon can without asking it.
	Owner bool

	key     *key     // the entry of the password file; nil without one
	session *session // nil without a cookie
	grant   *grant   // nil without a ticket
}

type contextKey uint8

const (
	identityKey contextKey = iota
	connKey
)

// With returns a context in which From finds id.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey, id)
}

// From returns who asks. Without Gate.Protect it is nobody, whose Scope is None.
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey).(Identity)
	return id
}
