package main

import "slices"

// The events of --json, as docs/json.md describes them. Every line starts with
// "v", "t" and "event"; these are the fields that follow. A field may be added
// to an event, and an event to the list; none is ever removed or changes its
// meaning.

// start: the command runs.
type startEvent struct {
	Command string   `json:"command"`
	Version string   `json:"version"`
	Listen  []string `json:"listen,omitempty"`  // bound addresses, HOST:PORT
	Socket  string   `json:"socket,omitempty"`  // of the daemon
	HTTP    []string `json:"http,omitempty"`    // addresses of the page and the API, HOST:PORT
	RPC     []string `json:"rpc,omitempty"`     // addresses of Transmission's RPC, HOST:PORT
	Metrics []string `json:"metrics,omitempty"` // addresses of the daemon's metrics, HOST:PORT
}

// dht: the state of the DHT node changed.
type dhtEvent struct {
	Nodes    int      `json:"nodes"`              // contacts in the routing tables
	Good     int      `json:"good"`               // of them, heard of lately
	Joined   bool     `json:"joined"`             // it has joined
	External []string `json:"external,omitempty"` // our addresses as others see them
}

func (e dhtEvent) equal(o dhtEvent) bool {
	return e.Nodes == o.Nodes && e.Good == o.Good && e.Joined == o.Joined &&
		slices.Equal(e.External, o.External)
}

// metadata: the info dictionary of a torrent is known.
type metadataEvent struct {
	Torrent     string  `json:"torrent"` // info-hash, 40 hex digits
	Name        string  `json:"name"`
	Bytes       int64   `json:"bytes"`
	Files       int     `json:"files"`
	Pieces      int     `json:"pieces"`
	PieceLength int     `json:"piece_length"`
	Private     bool    `json:"private,omitempty"`
	Seconds     float64 `json:"seconds"` // since the start
}

// progress: what a torrent is doing, each second.
type progressEvent struct {
	Torrent    string `json:"torrent,omitempty"`
	State      string `json:"state"` // hashing, metadata, checking, downloading, seeding, faulty
	Have       int64  `json:"have"`  // bytes
	Total      int64  `json:"total"` // bytes, 0 before the metadata is known
	Down       int64  `json:"down"`  // bytes per second
	Up         int64  `json:"up"`
	Downloaded int64  `json:"downloaded"` // bytes of content so far
	Uploaded   int64  `json:"uploaded"`
	Wasted     int64  `json:"wasted"`    // bytes received and discarded
	Connected  int    `json:"connected"` // peers and web seeds
	UTP        int    `json:"utp"`       // of them, peers over uTP
	WebSeeds   int    `json:"web_seeds"` // of them
	Found      int    `json:"found"`     // peers known
	ETA        *int64 `json:"eta"`       // seconds, null if unknown
}

// file: a file of a finished torrent.
type fileEvent struct {
	Torrent string `json:"torrent"`
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"`
}

// complete: all of a torrent is there and verified.
type completeEvent struct {
	Torrent    string   `json:"torrent"`
	Name       string   `json:"name"`
	Paths      []string `json:"paths"`
	Bytes      int64    `json:"bytes"`
	Downloaded int64    `json:"downloaded"`
	Uploaded   int64    `json:"uploaded"`
	Wasted     int64    `json:"wasted"`
	Seconds    float64  `json:"seconds"`
}

// seeding: a torrent is complete and offered to others.
type seedingEvent struct {
	Torrent string `json:"torrent"`
	Name    string `json:"name"`
	Magnet  string `json:"magnet"`
	Bytes   int64  `json:"bytes"`
}

// stream: the one file of a torrent that players play can be watched by HTTP.
type streamEvent struct {
	Torrent string `json:"torrent"`
	Index   int    `json:"index"` // of the file
	URL     string `json:"url"`
}

// help: the result of node help, and of --help.
type helpEvent struct {
	Command string `json:"command,omitempty"` // none for the help of all
	Text    string `json:"text"`
}

// completion: the result of node completion.
type completionEvent struct {
	Shell  string `json:"shell"`
	Script string `json:"script"`
}

// warning: something that does not end the command.
type warningEvent struct {
	Message string `json:"message"`
}

// error: why the command fails; exit follows.
type errorEvent struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	What    string `json:"what,omitempty"`
	Why     string `json:"why,omitempty"`
	Hint    string `json:"hint,omitempty"`
}

// exit: always the last line.
type exitEvent struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}
