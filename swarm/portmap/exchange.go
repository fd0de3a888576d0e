package portmap

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"swarmnode/swarm/egress"
)

// exchangeTime bounds a request with its answer. Some devices take seconds to change a
// mapping.
const exchangeTime = 10 * time.Second

// exchange makes a request to a device from an address of ours, and returns the body of the
// answer. Redirects are errors. The status of an answer to an action is ignored, since faults
// come with all kinds of them.
func exchange(ctx context.Context, n *egress.Net, local netip.Addr, r *request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTime)
	defer cancel()
	conn, err := n.DialTCP(ctx, local, r.at.server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if _, err := conn.Write(r.append(nil)); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: conn, N: bodyBytesMax + 1}
	answer, err := http.ReadResponse(bufio.NewReader(limited), nil)
	if err != nil {
		if limited.N <= 0 {
			err = ErrTooLong
		}
		return nil, fmt.Errorf("reading the answer: %w", err)
	}
	if r.action == "" && answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("reading the answer: %s", printable(answer.Status))
	}
	body, err := io.ReadAll(answer.Body)
	switch {
	case limited.N <= 0:
		return nil, ErrTooLong
	case errors.Is(err, io.ErrUnexpectedEOF) && len(body) > 0:
		return body, nil // some devices announce more than they send
	}
	return body, err
}

// append appends the request as HTTP, in one piece and with the header names of the
// specification: some devices understand nothing else.
func (r *request) append(b []byte) []byte {
	method := "GET "
	if r.action != "" {
		method = "POST "
	}
	host := netip.AddrPortFrom(r.at.server.Addr().WithZone(""), r.at.server.Port())
	b = append(b, method+r.at.path+" HTTP/1.1\r\nHOST: "+host.String()+"\r\n"+
		"USER-AGENT: UPnP/1.1\r\nCONNECTION: close\r\n"...)
	if r.action != "" {
		b = append(b, "CONTENT-TYPE: text/xml; charset=\"utf-8\"\r\nSOAPACTION: "+r.action+
			"\r\nCONTENT-LENGTH: "+strconv.Itoa(len(r.body))+"\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.body...)
}
