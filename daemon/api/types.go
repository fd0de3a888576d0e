package api

import (
	"time"

	"swarmnode/daemon"
)

// A Torrent describes a torrent. Times, eta and ratio are absent while they are unknown, why and
// error without any; in a list with fields, so are those that were not asked for. Sizes are in
// bytes without padding, rates in bytes per second, durations in seconds.
type Torrent struct {
	// ID is the number of the torrent, which is never used again.
	ID daemon.ID `json:"id"`
	// Hash is the info-hash, 40 hexadecimal digits; of a v2 torrent they are the first of it.
	Hash string `json:"hash"`
	// Name is that of the content, as the user named it, or as the torrent does.
	Name string `json:"name"`
	// Status is what the torrent does.
	Status Status `json:"status"`
	// Why says why it is stopped or queued, unless the user wants that.
	Why string `json:"why,omitempty"`
	// Finished says that a goal was reached.
	Finished bool `json:"finished"`
	// Error is what the user has to do something about.
	Error string `json:"error,omitempty"`
	// Stuck is the word for what keeps the torrent from getting on; absent if nothing does.
	// Details have a sentence.
	Stuck StuckReason `json:"stuck,omitempty"`

	// Queue is the position in the queue, from 0. Forced says that the torrent does not queue,
	// Stalled that nothing has moved for a while.
	Queue   int  `json:"queue"`
	Forced  bool `json:"forced"`
	Stalled bool `json:"stalled"`

	// Dir is where the content lies now.
	Dir string `json:"dir"`
	// HaveInfo says that the metadata is known. Before that there are no sizes.
	HaveInfo bool  `json:"have-info"`
	Private  bool  `json:"private"`
	Size     int64 `json:"size"`
	// Wanted are the bytes of the files that are wanted, Got those of them that are verified,
	// Left those that are missing. Have are verified bytes of all files.
	Wanted int64 `json:"wanted"`
	Got    int64 `json:"got"`
	Left   int64 `json:"left"`
	Have   int64 `json:"have"`
	// Files counts the files, padding left out.
	Files       int `json:"files"`
	Pieces      int `json:"pieces"`
	PiecesHave  int `json:"pieces-have"`
	PieceLength int `json:"piece-length"`

	// MetadataSize and MetadataHave are bytes of the metadata, until it is known.
	MetadataSize int `json:"metadata-size"`
	MetadataHave int `json:"metadata-have"`
	// Checked and CheckTotal are bytes, while content is checked.
	Checked    int64 `json:"checked"`
	CheckTotal int64 `json:"check-total"`
	// Moved and MoveTotal are bytes, while content is copied to another folder.
	Moved     int64 `json:"moved"`
	MoveTotal int64 `json:"move-total"`

	DownRate int64 `json:"down-rate"`
	UpRate   int64 `json:"up-rate"`
	// ETA is the number of seconds until nothing is left, or until the goal is reached.
	ETA *float64 `json:"eta,omitempty"`
	// Ratio is what was sent, as a share of the size.
	Ratio *float64 `json:"ratio,omitempty"`

	// Down, Up and Wasted are payload bytes of all runs. Wasted bytes count in Down.
	Down   int64 `json:"down"`
	Up     int64 `json:"up"`
	Wasted int64 `json:"wasted"`
	// Active is how long the torrent ran, Seeding the part of it in which it was complete.
	Active     float64    `json:"active"`
	Seeding    float64    `json:"seeding"`
	Added      *time.Time `json:"added,omitempty"`
	Completed  *time.Time `json:"completed,omitempty"`
	LastActive *time.Time `json:"last-active,omitempty"`
	Started    *time.Time `json:"started,omitempty"`

	// Peers counts the connections, Seeds those to peers that have everything, PeersKnown the
	// addresses that are known. Sending counts the peers that let us request, Receiving those
	// that may request from us.
	Peers      int `json:"peers"`
	Seeds      int `json:"seeds"`
	PeersKnown int `json:"peers-known"`
	Sending    int `json:"sending"`
	Receiving  int `json:"receiving"`

	Labels     []string `json:"labels"`
	Group      string   `json:"group"`
	Rank       int      `json:"rank"`
	Sequential bool     `json:"sequential"`
	// Tracker is the host of the first tracker.
	Tracker string `json:"tracker,omitempty"`
	// Temporary says that the torrent was not added: it is removed some time after its last use.
	Temporary bool `json:"temporary"`
}

// A Status is the word for what a torrent does.
type Status string

// The statuses.
const (
	Stopped        Status = "stopped"
	CheckQueued    Status = "check-queued"
	Checking       Status = "checking"
	DownloadQueued Status = "download-queued"
	Downloading    Status = "downloading" // or waiting for the metadata
	SeedQueued     Status = "seed-queued"
	Seeding        Status = "seeding"
)

// statuses are the words by the numbers of package daemon.
var statuses = [...]Status{daemon.Stopped: Stopped, daemon.CheckQueued: CheckQueued,
	daemon.Checking: Checking, daemon.DownloadQueued: DownloadQueued,
	daemon.Downloading: Downloading, daemon.SeedQueued: SeedQueued, daemon.Seeding: Seeding}

// A List is a page of torrents.
type List struct {
	// Seq is the moment of the list, for since and for the feed.
	Seq uint64 `json:"seq"`
	// Total counts the torrents that fit the filters, before paging.
	Total    int       `json:"total"`
	Torrents []Torrent `json:"torrents" schema:"part"`
	// Reset, after a since, says that the changes since then are not known, so that the list
	// has all torrents, and others are gone.
	Reset bool `json:"reset,omitempty"`
	// Removed are the torrents that are gone, after a since.
	Removed []daemon.ID `json:"removed,omitempty"`
}

// Details are a Torrent and what a list leaves out.
type Details struct {
	Torrent  Torrent    `json:"torrent"`
	Options  Options    `json:"options"`
	Magnet   string     `json:"magnet"`
	Trackers []Tracker  `json:"trackers"`
	WebSeeds []WebSeed  `json:"webseeds"`
	Comment  string     `json:"comment,omitempty"`
	Creator  string     `json:"creator,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	// V1 and V2 are the whole info-hashes, as far as they are known.
	V1 string `json:"v1,omitempty"`
	V2 string `json:"v2,omitempty"`
	// Waste are the bytes of Wasted by their reasons.
	Waste map[string]int64 `json:"waste,omitempty"`
	// Stuck says what keeps the torrent from getting on; absent if nothing does.
	Stuck *Stuck `json:"stuck,omitempty"`
}

// A Stuck says why a torrent does not get on.
type Stuck struct {
	Reason StuckReason `json:"reason"`
	// Text is a sentence for users, Advice another one about what to do.
	Text   string `json:"text"`
	Advice string `json:"advice"`
	// Values are the numbers and words of Text by their names, for those who write it in another
	// language; see docs/api.md.
	Values map[string]any `json:"values"`
}

// A StuckReason is the word for what keeps a torrent from getting on.
type StuckReason string

// Options are what the user sets for a torrent.
type Options struct {
	// Dir is the folder for the finished content.
	Dir        string   `json:"dir"`
	Sequential bool     `json:"sequential"`
	Labels     []string `json:"labels"`
	// Group is that of bandwidth.
	Group string `json:"group"`
	// Down and Up are in bytes per second; 0 is no limit. Alone leaves the torrent out of the
	// limits of the settings.
	Down  int64 `json:"down"`
	Up    int64 `json:"up"`
	Alone bool  `json:"alone"`
	// MaxPeers bounds the connections; 0 is the default.
	MaxPeers int `json:"max-peers"`
	// Rank is the priority among torrents, from -1 to 1.
	Rank int `json:"rank"`
	// The goals, at which the torrent stops.
	SeedRatio Goal `json:"seed-ratio"`
	SeedTime  Goal `json:"seed-time"`
	SeedIdle  Goal `json:"seed-idle"`
	Stopped   bool `json:"stopped"`
	Forced    bool `json:"forced"`
}

// A Goal is a number at which a torrent stops seeding.
type Goal struct {
	// Mode says where the number comes from: global is that of the settings, own is At, none is
	// no goal.
	Mode GoalMode `json:"mode"`
	// At is a ratio, or a number of seconds.
	At float64 `json:"at,omitempty"`
}

// A GoalMode is the word for where the number of a Goal comes from.
type GoalMode string

// The modes.
const (
	GoalGlobal GoalMode = "global"
	GoalOwn    GoalMode = "own"
	GoalNone   GoalMode = "none"
)

// A Patch changes options of a torrent. What is absent stays.
type Patch struct {
	Sequential *bool     `json:"sequential,omitempty"`
	Labels     *[]string `json:"labels,omitempty"`
	Group      *string   `json:"group,omitempty"`
	Down       *int64    `json:"down,omitempty"`
	Up         *int64    `json:"up,omitempty"`
	Alone      *bool     `json:"alone,omitempty"`
	MaxPeers   *int      `json:"max-peers,omitempty"`
	Rank       *int      `json:"rank,omitempty"`
	SeedRatio  *Goal     `json:"seed-ratio,omitempty"`
	SeedTime   *Goal     `json:"seed-time,omitempty"`
	SeedIdle   *Goal     `json:"seed-idle,omitempty"`
}

// An Add says what to add: a source, or metainfo. The body may be a .torrent file instead
// (application/x-bittorrent), or a form (multipart/form-data) with the file as its part
// "torrent" and an Add as its part "options".
type Add struct {
	// Source is a magnet link, an http or https URL of a .torrent file, or an info-hash.
	Source string `json:"source,omitempty"`
	// Metainfo is a .torrent file in base64.
	Metainfo []byte `json:"metainfo,omitempty"`
	// Dir is the folder for the content; empty means that of the settings.
	Dir string `json:"dir,omitempty"`
	// Stopped adds the torrent without starting it; absent means the setting add-paused.
	Stopped *bool `json:"stopped,omitempty"`
	// Files are the places of the files that are wanted, from 0; absent means all.
	Files []int `json:"files,omitempty"`
	// Choose names the files that are wanted in place of Files, also those of a link: lists of
	// places such as 0,2-5, and patterns such as *.txt or folder/.
	Choose []string `json:"choose,omitempty"`
	// Peers are peers to try, ADDRESS:PORT.
	Peers []string `json:"peers,omitempty"`
	// Complete says that the content lies in Dir and was just hashed. It counts only from the
	// owner of the daemon on its socket; otherwise the content is hashed again.
	Complete bool `json:"complete,omitempty"`
	// Cookies are sent to the server of a URL, as in a header Cookie.
	Cookies string `json:"cookies,omitempty"`
	// Trackers are asked besides those of the source.
	Trackers []string `json:"trackers,omitempty"`
	// Forced starts the torrent outside of the queue.
	Forced bool `json:"forced,omitempty"`
	// Options are the other options.
	Options Patch `json:"options,omitzero"`
}

// An Added says what was added.
type Added struct {
	ID   daemon.ID `json:"id"`
	Hash string    `json:"hash"`
	Name string    `json:"name"`
}

// A Start starts a torrent.
type Start struct {
	// Now starts it outside of the queue.
	Now bool `json:"now,omitempty"`
}

// A Folder names a folder.
type Folder struct {
	Dir string `json:"dir"`
}

// A Rename gives a file or folder of the content another name.
type Rename struct {
	// Path is that of the file or folder, with slashes, as the files of the torrent are listed or
	// as the torrent itself names it; empty is the top.
	Path string `json:"path"`
	Name string `json:"name"`
}

// An Enqueue changes the position in the queue.
type Enqueue struct {
	// To is the new position from 0; the last one for larger numbers.
	To int `json:"to"`
}

// A Bulk does the same to several torrents.
type Bulk struct {
	// IDs are the torrents, at most 20,000; All means each that there is.
	IDs []daemon.ID `json:"ids,omitempty"`
	All bool        `json:"all,omitempty"`
	// Action is what to do.
	Action Action `json:"action"`
	// Patch are the changes of the action set.
	Patch *Patch `json:"patch,omitempty"`
	// Dir is the folder of the actions move and locate.
	Dir string `json:"dir,omitempty"`
}

// An Action is the word for what a Bulk does.
type Action string

// The actions.
const (
	ActionStart      Action = "start"
	ActionStartNow   Action = "start-now"
	ActionStop       Action = "stop"
	ActionVerify     Action = "verify"
	ActionReannounce Action = "reannounce"
	ActionSet        Action = "set"
	ActionMove       Action = "move"
	ActionLocate     Action = "locate"
	ActionRemove     Action = "remove"
	ActionRemoveData Action = "remove-data"

	// These move torrents in the queue; they keep their order among themselves.
	ActionQueueTop    Action = "queue-top"
	ActionQueueUp     Action = "queue-up"
	ActionQueueDown   Action = "queue-down"
	ActionQueueBottom Action = "queue-bottom"
)

// A BulkResult says what became of a Bulk.
type BulkResult struct {
	// Done counts the torrents for which it went well.
	Done   int          `json:"done"`
	Failed []BulkFailed `json:"failed"`
}

// A BulkFailed says why a Bulk failed for one torrent.
type BulkFailed struct {
	ID    daemon.ID `json:"id"`
	Error string    `json:"error"`
	// Status is the status that a request for this torrent alone would have had.
	Status int `json:"status"`
}

// Problem returns the error of a request for this torrent alone.
func (f *BulkFailed) Problem() *Problem { return problemf(f.Status, "%s", f.Error) }

// A Problem is the body of an error (RFC 9457).
type Problem struct {
	// Type is about:blank: the status says what kind of error it is.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is one sentence for users.
	Detail string `json:"detail"`
	// Name is the setting, option, field or parameter that is wrong, if it is one.
	Name string `json:"name,omitempty"`
	// ID and Hash are those of the torrent that is there already.
	ID   daemon.ID `json:"id,omitempty"`
	Hash string    `json:"hash,omitempty"`
}

func (p *Problem) Error() string { return p.Detail }
