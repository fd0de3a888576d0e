package stuck

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
)

// Of joined errors the first one is shown with their number, of a look-up why it failed, and of
// long ones the beginning.
func TestLine(t *testing.T) {
	one, two, three := errors.New("one"), errors.New("two"), errors.New("three")
	lookup := &net.DNSError{Err: "no such host", Name: "a.example", Server: "192.0.2.1:53"}
	long := strings.Repeat("é", lineMax)
	for _, c := range []struct {
		err  error
		want string
	}{
		{one, "one"},
		{errors.Join(one), "one"},
		{errors.Join(one, two, three), "one, and 2 more"},
		{errors.Join(errors.Join(one, two), three), "one, and 1 more, and 1 more"},
		{fmt.Errorf("resolving a.example: %w", lookup), "resolving a.example: no such host"},
		{errors.New("a\nb\nc"), "a, and 2 more"},
		{errors.New(long), long[:lineMax] + "…"},
	} {
		if got := Line(c.err); got != c.want {
			t.Errorf("%q: %q, want %q", c.err, got, c.want)
		}
	}
}
