//go:build linux

package realclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"time"
)

const (
	rpcTimeout   = 10 * time.Second // for one call; a client that hashes answers late
	rpcAnswerMax = 16 << 20         // bytes of an answer that are read at most
)

// httpClient never goes through a proxy: the clients are on this machine.
var httpClient = &http.Client{Timeout: rpcTimeout, Transport: &http.Transport{Proxy: nil}}

// jsonRPC posts a request to a client's RPC server and decodes its answer.
type jsonRPC struct {
	url    string
	header http.Header
}

func newJSONRPC(addr netip.AddrPort, path string) *jsonRPC {
	return &jsonRPC{url: "http://" + addr.String() + path,
		header: http.Header{"Content-Type": {"application/json"}}}
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
	res, err := httpClient.Do(req)
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
