package api

import (
	"time"

	"swarmnode/daemon"
)

// The names of events of the feed. The data of torrent is a Torrent, of removed a Gone, of stats
// a Stats, of reset a Reset; that of settings is an empty object.
const (
	EventReset    = "reset" // forget all torrents: all follow
	EventTorrent  = "torrent"
	EventRows     = "rows" // several torrents, each with what changed
	EventRemoved  = "removed"
	EventSettings = "settings"
	EventStats    = "stats"
)

// A Reset says how many torrents follow.
type Reset struct {
	Torrents int `json:"torrents"`
}

// A Gone names a torrent that was removed.
type Gone struct {
	ID daemon.ID `json:"id"`
}

// A Login says who logs a browser in.
type Login struct {
	// Name is that of a user; empty for a token.
	Name string `json:"name"`
	// Password is that of the user, or the token.
	Password string `json:"password"`
}

// A Session describes the daemon and its node.
type Session struct {
	// Version is that of the program, API that of this interface.
	Version string    `json:"version"`
	API     int       `json:"api"`
	Started time.Time `json:"started"`
	// User is the login, and Scope what it may do: read, control or admin. Owner says that it
	// is the daemon's own user, on the socket.
	User  string `json:"user,omitempty"`
	Scope string `json:"scope"`
	Owner bool   `json:"owner"`
	Stats Stats  `json:"stats"`
	Node  Node   `json:"node"`
	DHT   DHT    `json:"dht"`
	// Dir is the folder for content.
	Dir string `json:"dir"`
	// Pinned are the settings that flags or the environment of the daemon give: a change of
	// them lasts until it ends.
	Pinned []string `json:"pinned"`
	// Single says that a command serves its own torrents, and ends: there is no queue, nor
	// anything else that a daemon has for months.
	Single bool   `json:"single"`
	Memory Memory `json:"memory"`
}

// Stats are counts of all torrents together.
type Stats struct {
	// Torrents counts the torrents by their status; those of which there are none are absent.
	Torrents map[Status]int `json:"torrents"`
	// Stalled counts the torrents that download or seed and move nothing, Errors those with
	// an error.
	Stalled int `json:"stalled"`
	Errors  int `json:"errors"`
	// DownRate and UpRate are payload bytes per second, Down and Up payload bytes since the
	// daemon started.
	DownRate int64 `json:"down-rate"`
	UpRate   int64 `json:"up-rate"`
	Down     int64 `json:"down"`
	Up       int64 `json:"up"`
	// Peers counts the connections of all torrents.
	Peers int `json:"peers"`
	// Size, Have and Left are the bytes of all torrents.
	Size int64 `json:"size"`
	Have int64 `json:"have"`
	Left int64 `json:"left"`
	// AllDown, AllUp and AllActive, in seconds, are those of all runs, of which Sessions counts
	// the starts.
	AllDown   int64   `json:"all-down"`
	AllUp     int64   `json:"all-up"`
	AllActive float64 `json:"all-active"`
	Sessions  int64   `json:"sessions"`
}

// A Node says how the node is connected.
type Node struct {
	// Listen are the addresses that the node listens on, Endpoints those at which others reach
	// it, the best first.
	Listen    []string `json:"listen"`
	Endpoints []string `json:"endpoints"`
	// TCP and UTP say how others reach the node over each of the two.
	TCP string `json:"tcp"`
	UTP string `json:"utp"`
	// Why gives the reason, in a sentence.
	Why string `json:"why,omitempty"`
	// Summary is all of it in a line for users.
	Summary  string    `json:"summary"`
	External []string  `json:"external"`
	Relayed  []string  `json:"relayed"`
	Mappings []Mapping `json:"mappings"`
	// ProxyAway says that the proxy cannot be used.
	ProxyAway bool `json:"proxy-away"`
	// Blocked counts what was refused for a blocklist, BlockedRanges the ranges of addresses in
	// it.
	Blocked       int64 `json:"blocked"`
	BlockedRanges int   `json:"blocked-ranges"`
}

// A Mapping is a port that a router maps.
type Mapping struct {
	// Protocol is tcp or udp, By the protocol of the router: empty if the port is not mapped.
	Protocol string `json:"protocol"`
	Port     uint16 `json:"port"`
	External string `json:"external,omitempty"`
	By       string `json:"by,omitempty"`
	Error    string `json:"error,omitempty"`
}

// A DHT describes the DHT node.
type DHT struct {
	On     bool `json:"on"`
	Joined bool `json:"joined"`
	// Contacts4 and Contacts6 count the contacts that were heard of within 15 minutes.
	Contacts4 int    `json:"contacts4"`
	Contacts6 int    `json:"contacts6"`
	BytesOut  uint64 `json:"bytes-out"`
	Queries   uint64 `json:"queries"`
	Answers   uint64 `json:"answers"`
}

// Memory is the memory of the process, in bytes.
type Memory struct {
	Used int64 `json:"used"`
	// Limit is absent without one.
	Limit int64 `json:"limit,omitempty"`
}

// Settings are those of the daemon as a whole, by the names of their flags. Durations are in
// seconds, rates in bytes per second.
type Settings daemon.Settings

// Groups are the groups of bandwidth that have limits.
type Groups struct {
	Groups []daemon.Group `json:"groups"`
}

// A GroupLimits sets the limits of a group.
type GroupLimits struct {
	Down  int64 `json:"down"`
	Up    int64 `json:"up"`
	Alone bool  `json:"alone,omitempty"`
}

// A Blocklist counts the ranges of addresses that are blocked.
type Blocklist struct {
	Ranges int `json:"ranges"`
}

// Space is the space of the file system of a folder, in bytes.
type Space struct {
	Dir   string `json:"dir"`
	Free  int64  `json:"free"`
	Total int64  `json:"total"`
}

// Speed is the history of the speeds of the last hour, the oldest first.
type Speed struct {
	// Seconds has a value for each of the last 60 s, Minutes one for each 10 s of the last hour.
	Seconds []Rates `json:"seconds"`
	Minutes []Rates `json:"minutes"`
}

// Rates are payload bytes per second at one time.
type Rates struct {
	Time time.Time `json:"time"`
	Down int64     `json:"down"`
	Up   int64     `json:"up"`
}

// A LogPage is a part of the last lines of the log.
type LogPage struct {
	// Next is the since for what comes later.
	Next  uint64 `json:"next"`
	Lines []Line `json:"lines"`
}

// A Line is a line of the log.
type Line struct {
	Seq   uint64    `json:"seq"`
	Time  time.Time `json:"time"`
	Level string    `json:"level"`
	Text  string    `json:"text"`
	// Values are the attributes, as text.
	Values map[string]string `json:"values,omitempty"`
}

// A Reloaded says what became of the configuration that was read again.
type Reloaded struct {
	// Changed names the settings that have new values now.
	Changed []string `json:"changed"`
	// Restart names the settings that only a new start changes.
	Restart []string `json:"restart"`
}
