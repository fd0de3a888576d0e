package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"path"
	"strings"
	"time"
)

// TicketParameter is the parameter of a URL that has a ticket.
const TicketParameter = "ticket"

// A ticket is, in base64: when it ends, as a number of seconds since the Gate began, the length
// of the path, the mark of the entry that it was given for, and a MAC of all that with the
// path itself, by a key that the Gate alone has.
const (
	ticketEnd   = 0
	ticketPath  = 4
	ticketMark  = 6
	ticketMAC   = ticketMark + markBytes
	ticketBytes = ticketMAC + sha256.Size
	markBytes   = 16

	// ticketMax is how long a ticket may last.
	ticketMax = 30 * 24 * time.Hour
	// ticketPathMax bounds its path, in bytes.
	ticketPathMax = 1 << 10
)

// The marks of those who have no entry.
var (
	nobodyMark = [markBytes]byte{1} // let in without a login
	socketMark = [markBytes]byte{2}
)

// A grant is what a ticket gives.
type grant struct {
	path string
	end  time.Duration // since the Gate began
}

// Ticket returns a ticket, for programs that have no login of their own, such as players: as
// the parameter ticket of a URL it lets GET and HEAD in for path and what is below it, until
// then, 30 days at most, as who, but with the scope Read and confined. It ends before that with
// the entry of who in the password file, and with the Gate. Somebody who came with a ticket
// gets none that gives more: an empty one, which lets nobody in.
func (g *Gate) Ticket(who Identity, path string, until time.Time) string {
	now := g.now()
	end := now.Sub(g.began) + min(until.Sub(now), ticketMax)
	if who.grant != nil {
		if !below(path, who.grant.path) {
			return ""
		}
		end = min(end, who.grant.end)
	}
	seconds := end / time.Second
	if seconds < 0 || seconds > 1<<32-1 || len(path) > ticketPathMax || who.Scope < Read {
		return ""
	}
	ticket := make([]byte, ticketMAC, ticketBytes)
	binary.BigEndian.PutUint32(ticket[ticketEnd:], uint32(seconds))
	binary.BigEndian.PutUint16(ticket[ticketPath:], uint16(len(path)))
	mark := nobodyMark
	switch {
	case who.key != nil:
		mark = g.keys.mark(who.key)
	case who.Name != "":
		mark = socketMark
	}
	copy(ticket[ticketMark:], mark[:])
	return base64.RawURLEncoding.EncodeToString(g.sealTicket(ticket, path))
}

// sealTicket appends the MAC to a ticket.
func (g *Gate) sealTicket(ticket []byte, path string) []byte {
	mac := hmac.New(sha256.New, g.ticketKey[:])
	mac.Write(ticket)
	mac.Write([]byte(path))
	return mac.Sum(ticket)
}

// fromTicket returns who comes with the ticket of a request, and whether it is good.
func (g *Gate) fromTicket(r *http.Request) (Identity, bool) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || !plainPath(r) {
		return Identity{}, false
	}
	text := r.URL.Query().Get(TicketParameter)
	if len(text) != base64.RawURLEncoding.EncodedLen(ticketBytes) {
		return Identity{}, false
	}
	ticket, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return Identity{}, false
	}
	n := int(binary.BigEndian.Uint16(ticket[ticketPath:]))
	if n > len(r.URL.Path) {
		return Identity{}, false
	}
	path := r.URL.Path[:n]
	sealed := g.sealTicket(append([]byte(nil), ticket[:ticketMAC]...), path)
	if !hmac.Equal(sealed, ticket) || !below(r.URL.Path, path) {
		return Identity{}, false
	}
	end := time.Duration(binary.BigEndian.Uint32(ticket[ticketEnd:])) * time.Second
	id := Identity{Scope: Read, grant: &grant{path, end}}
	switch mark := [markBytes]byte(ticket[ticketMark:]); mark {
	case nobodyMark:
	case socketMark:
		id.Name = "socket"
	default:
		k := g.keys.marked(mark)
		if k == nil {
			return Identity{}, false
		}
		id.Name, id.Scope, id.key = k.entry.Name, min(Read, k.entry.Scope), k
	}
	return id, g.Still(id)
}

// below reports whether path is top or below it.
func below(path, top string) bool {
	rest, ok := strings.CutPrefix(path, top)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(top, "/"))
}

// plainPath reports whether the path of a request says the same however it is read: handlers
// may clean it, or take it apart before it is decoded.
func plainPath(r *http.Request) bool {
	p := r.URL.Path
	if !strings.HasPrefix(p, "/") || strings.Contains(p, "//") {
		return false
	}
	if clean := path.Clean(p); clean != p && clean+"/" != p {
		return false
	}
	return !strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f")
}
