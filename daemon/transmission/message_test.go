package transmission

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/metainfo"
)

// The examples of the specification of JSON-RPC 2.0, with our methods, and what the legacy
// protocol answers to requests of every malformed shape.
func TestMessages(t *testing.T) {
	b := newBench(t)
	b.add(daemon.AddSpec{Magnet: metainfo.Magnet{V1: metainfo.Hash{7}, HasV1: true, Name: "x"}})
	b.want(1, "status", 4)
	long := `"` + strings.Repeat("x", idBytesMax) + `"`
	const (
		parse    = `{"jsonrpc":"2.0","error":{"code":-32700,"message":"Parse error","data":{"error_string":"the request is not JSON"}},"id":null}`
		noMethod = `{"arguments":{},"result":"no method name"}`
		notOne   = `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"a request is an object"}},"id":null}`
	)
	for _, m := range []struct{ body, want string }{
		{`{"jsonrpc":"2.0","method":"torrent_get","params":{"fields":["id","name"]},"id":1}`,
			`{"jsonrpc":"2.0","result":{"torrents":[{"id":1,"name":"x"}]},"id":1}`},
		{`{"params":{"fields":["hash_string"],"ids":9},"id":"a","method":"torrent_get","jsonrpc":"2.0"}`,
			`{"jsonrpc":"2.0","result":{"torrents":[]},"id":"a"}`},
		{`{"jsonrpc":"2.0","method":"torrent_start","params":{"ids":[]},"id":null}`,
			`{"jsonrpc":"2.0","result":{},"id":null}`},
		{`{"jsonrpc":"2.0","method":"torrent_start","params":{"ids":[]},"id":1.50}`,
			`{"jsonrpc":"2.0","result":{},"id":1.50}`},
		{`{"jsonrpc":"2.0","method":"torrent_start","params":{"ids":[]}}`, ``},
		{`{"jsonrpc":"2.0","method":"no_such_method"}`, ``},
		{`{"jsonrpc":"2.0","method":"foobar","id":"1"}`,
			`{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"1"}`},
		{`{"jsonrpc":"2.0","method":"torrent_get","params":[1,2],"id":4}`,
			`{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params","data":{"error_string":"the parameters are an object"}},"id":4}`},
		{`{"jsonrpc":"2.0","method":"torrent_get","id":4}`,
			`{"jsonrpc":"2.0","error":{"code":-32602,"message":"Invalid params","data":{"error_string":"no fields specified"}},"id":4}`},
		{`{"jsonrpc":"2.0","method":"torrent_rename_path","params":{"ids":1,"path":"x","name":"a/b"},"id":5}`,
			``},
		{`{"jsonrpc":"2.0","method":1,"params":"bar","id":4}`,
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"no method name"}},"id":4}`},
		{`{"jsonrpc":"1.0","method":"torrent_get","id":4}`,
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"the version of JSON-RPC is not 2.0"}},"id":null}`},
		{`{"jsonrpc":"2.0","method":"torrent_get","id":[]}`,
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"an id is a short string, a number or null"}},"id":null}`},
		{`{"jsonrpc":"2.0","method":"torrent_get","id":` + long + `}`,
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"an id is a short string, a number or null"}},"id":null}`},
		{`{"jsonrpc":"2.0","method":"foobar,"params":"bar","baz]`, parse},
		{`[{"jsonrpc":"2.0","method":"torrent_get"},{"jsonrpc":"2.0","method"]`, parse},
		{`[]`, `{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"the batch is empty"}},"id":null}`},
		{`[1]`, `[` + notOne + `]`},
		{`[1,2,[]]`, `[` + notOne + `,` + notOne + `,` + notOne + `]`},
		{`[{"jsonrpc":"2.0","method":"torrent_stop","params":{"ids":[]}},{"jsonrpc":"2.0","method":"torrent_get","params":{"fields":["status"],"ids":"recently_active"},"id":7},"x",{"jsonrpc":"2.0","method":"foo.get","id":"5"}]`,
			`[{"jsonrpc":"2.0","result":{"removed":[],"torrents":[{"status":4}]},"id":7},` + notOne +
				`,{"jsonrpc":"2.0","error":{"code":-32601,"message":"Method not found"},"id":"5"}]`},
		{`[{"jsonrpc":"2.0","method":"torrent_stop","params":{"ids":[]}},{"jsonrpc":"2.0","method":"torrent_start","params":{"ids":[]}}]`, ``},
		{`[` + strings.TrimSuffix(strings.Repeat("1,", batchMax+1), ",") + `]`,
			`{"jsonrpc":"2.0","error":{"code":-32600,"message":"Invalid Request","data":{"error_string":"a batch has at most 100 requests"}},"id":null}`},

		{`{"method":"torrent-get","arguments":{"fields":["id","peer-limit"]},"tag":3}`,
			`{"arguments":{"torrents":[{"id":1,"peer-limit":80}]},"result":"success","tag":3}`},
		{`{"method":"torrent-get","arguments":{"fields":["id"],"ids":"recently-active"},"tag":"x"}`,
			`{"arguments":{"removed":[],"torrents":[{"id":1}]},"result":"success"}`},
		{`{"method":"torrent-start","arguments":null,"tag":-1}`,
			`{"arguments":{},"result":"success","tag":-1}`},
		{`{"method":"torrent-start","arguments":{"ids":[]},"tag":1.5}`,
			`{"arguments":{},"result":"success","tag":1.5}`},
		{`{"method":"torrent-get","arguments":21}`,
			`{"arguments":{},"result":"no fields specified"}`},
		{`{"method":"torrent-get"}`, `{"arguments":{},"result":"no fields specified"}`},
		{`{"method":"x","tag":9}`,
			`{"arguments":{},"result":"method name not recognized","tag":9}`},
		{`{"arguments":{},"tag":8}`, `{"arguments":{},"result":"no method name","tag":8}`},
		{``, noMethod}, {`x`, noMethod}, {`{`, noMethod}, {`"x"`, noMethod}, {`7`, noMethod},
		{`null`, noMethod}, {strings.Repeat("[", 1<<20), noMethod},
		{strings.Repeat(`{"a":`, 1<<18), noMethod}, {"\xff\xfe", noMethod},
	} {
		response, doc := b.post(m.body)
		if strings.Contains(m.body, "rename") {
			checkRename(t, doc)
			continue
		}
		if string(doc) != m.want {
			t.Errorf("%.300s\ngot  %.900s\nwant %s", m.body, doc, m.want)
		}
		if (response.StatusCode == http.StatusNoContent) != (m.want == "") ||
			m.want != "" && response.StatusCode != http.StatusOK {
			t.Errorf("%.300s: %s", m.body, response.Status)
		}
	}
}

// checkRename looks at the error of a renaming, whose data repeats what was asked.
func checkRename(t *testing.T, doc []byte) {
	t.Helper()
	var got struct {
		Error struct {
			Code int
			Data struct {
				Error  string `json:"error_string"`
				Result map[string]any
			}
		}
		ID int
	}
	err := json.Unmarshal(doc, &got)
	if e := got.Error; err != nil || e.Code == 0 || e.Data.Error == "" ||
		fmt.Sprint(e.Data.Result) != "map[id:1 name:a/b path:x]" || got.ID != 5 {
		t.Errorf("%s: %v", doc, err)
	}
}

// FuzzAnswer: whatever comes, the answer is JSON of the right form, or nothing, and nothing
// breaks. The requests reach a real daemon.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"method":"torrent-get","arguments":{"fields":["id","files","peers"],"ids":[1,"x"]},"tag":1}`,
		`{"jsonrpc":"2.0","method":"torrent_set","params":{"ids":1,"labels":["a"],"tracker_list":"http://a/\n\nudp://b:1"},"id":"x"}`,
		`{"method":"session-set","arguments":{"speed-limit-down":1e9,"alt-speed-time-day":127,"alt-speed-time-enabled":true,"download-dir":"/x"}}`,
		`[{"jsonrpc":"2.0","method":"queue_move_top","params":{"ids":"recently_active"}},{"jsonrpc":"2.0","method":"free_space","params":{"path":"/tmp"},"id":null}]`,
		`{"method":"torrent-add","arguments":{"metainfo":"ZGU=","filename":"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567"}}`,
		`{"method":"torrent-set","arguments":{"files-wanted":[0],"priority-high":[],"trackerReplace":[0,"http://a/"],"seedRatioMode":1}}`,
		`{"method":"group-set","arguments":{"name":"a","speed-limit-up":3}}`,
		`{"method":"torrent-rename-path","arguments":{"ids":[1],"path":"..","name":"/"}}`,
		`{"method":"blocklist-update"}`,
		`{"method":"port-test","arguments":{"ip_protocol":"ipv6"}}`,
	} {
		f.Add([]byte(seed))
	}
	b := newFuzzBench(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		if strings.Contains(string(body), "http") && strings.Contains(string(body), "-add") {
			t.Skip("it would fetch from the network")
		}
		doc, err := b.h.answer(b.ctx(t), body, nil, nil)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if len(doc) == 0 {
			return
		}
		if !json.Valid(doc) {
			t.Fatalf("%q: the answer is %q", body, doc)
		}
		if doc[0] == '[' {
			return
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(doc, &got); err != nil {
			t.Fatal(err)
		}
		_, isModern := got["jsonrpc"]
		_, hasResult := got["result"]
		_, hasError := got["error"]
		_, hasArguments := got["arguments"]
		if isModern != (hasResult != hasError && !hasArguments) ||
			!isModern && (!hasResult || !hasArguments) {
			t.Errorf("%q: the answer is %s", body, doc)
		}
	})
}
