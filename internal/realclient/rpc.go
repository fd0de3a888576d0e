//go:build linux

package realclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

const (
	rpcTimeout   = 10 * time.Second // for one call; a client that hashes answers late
	rpcAnswerMax = 16 << 20         // bytes of an answer that are read at most
)

// loopback is where clients listen for RPC that have it to themselves.
var loopback = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// httpClient never goes through a proxy: the clients are on this machine.
var httpClient = &http.Client{Timeout: rpcTimeout, Transport: &http.Transport{Proxy: nil}}

// jsonRPC posts a request to a client's RPC server and decodes its answer.
type jsonRPC struct {
	url    string
	header http.Header
	client *http.Client
}

// newJSONRPC returns the way to the RPC server of c.
func (c *Client) newJSONRPC(addr netip.AddrPort, path string) *jsonRPC {
	r := &jsonRPC{url: "http://" + addr.String() + path, client: httpClient,
		header: http.Header{"Content-Type": {"application/json"}}}
	if c.opts.Within != nil {
		r.client = &http.Client{Timeout: rpcTimeout, Transport: &http.Transport{
			DialContext: c.dialWithin}}
	}
	return r
}

// dialWithin connects from the namespace of the client.
func (c *Client) dialWithin(ctx context.Context, network, addr string) (conn net.Conn, err error) {
	err = c.opts.Within(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, network, addr)
		return err
	})
	return conn, err
}

// freeRPC returns an address for the RPC server of c: a free port of ip, or of loopback in a
// namespace of its own.
func (c *Client) freeRPC(ip netip.Addr) (netip.AddrPort, error) {
	if c.opts.Within == nil {
		port, err := freePort(ip)
		return netip.AddrPortFrom(ip, port), err
	}
	var port uint16
	err := c.opts.Within(func() (err error) {
		port, err = freePort(loopback)
		return err
	})
	return netip.AddrPortFrom(loopback, port), err
}

// close gives the connections up that are kept for further calls.
func (r *jsonRPC) close() {
	if r.client != httpClient {
		r.client.CloseIdleConnections()
	}
}

// post sends request as JSON. It returns the status code and header of the
// answer, whose body is decoded into result when it is JSON of status 200 or
// 400 (where both aria2 and Transmission explain what they dislike).
func (r *jsonRPC) post(ctx context.Context, request, result any) (int, http.Header, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header = r.header.Clone()
	res, err := r.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, rpcAnswerMax))
	if err != nil {
		return 0, nil, fmt.Errorf("reading answer: %w", err)
	}
	if res.StatusCode == http.StatusOK || res.StatusCode == http.StatusBadRequest {
		if err := json.Unmarshal(answer, result); err != nil {
			return 0, nil, fmt.Errorf("parsing answer: %w", err)
		}
	}
	return res.StatusCode, res.Header, nil
}
