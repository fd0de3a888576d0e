package api

import "time"

// A FileTree is a page of the files and folders of a torrent.
type FileTree struct {
	// Path is the folder that is shown, with slashes; empty is the top.
	Path string `json:"path"`
	// Total counts the entries of the folder before paging.
	Total   int         `json:"total"`
	Entries []FileEntry `json:"entries"`
}

// A FileEntry is a file, or a folder with all that lies below it.
type FileEntry struct {
	// Name is the last element of Path, Path the way from the top, with slashes.
	Name string `json:"name"`
	Path string `json:"path"`
	// Index is the place of a file among all files of the torrent, from 0; absent for a folder.
	Index *int `json:"index,omitempty"`
	// Files counts the files below a folder; absent for a file.
	Files int `json:"files,omitempty"`
	// Size, Have and Wanted are bytes: all, those that are verified, those of wanted files.
	Size   int64 `json:"size"`
	Have   int64 `json:"have"`
	Wanted int64 `json:"wanted"`
	// Priority is from 0, which is not wanted, to 7; 4 is normal. Absent for a folder whose
	// files have several.
	Priority *int `json:"priority,omitempty"`
}

// FilePriorities change the priorities of files.
type FilePriorities struct {
	Set []FilePriority `json:"set"`
}

// A FilePriority gives files a priority. Later ones win.
type FilePriority struct {
	// Files are the places of files; Path is a file or a folder with everything below it, where
	// an empty path is the top. One of both is given.
	Files []int   `json:"files,omitempty"`
	Path  *string `json:"path,omitempty"`
	// Priority is from 0, which is not wanted, to 7; 4 is normal.
	Priority int `json:"priority"`
}

// Peers are the connections of a torrent.
type Peers struct {
	Peers []Peer `json:"peers"`
}

// A Peer is one connection.
type Peer struct {
	// Address is the other end, or the URL of a web seed.
	Address string `json:"address"`
	// Client is the name of its program.
	Client string `json:"client,omitempty"`
	// Flags are letters as qBittorrent shows them; see docs/json.md.
	Flags string `json:"flags"`
	// Transport is tcp, utp, web or relay.
	Transport string `json:"transport"`
	// Source says who named the address.
	Source    string `json:"source"`
	Outgoing  bool   `json:"outgoing"`
	Encrypted bool   `json:"encrypted"`
	Seed      bool   `json:"seed"`
	// Progress is the share of all pieces that the peer has, from 0 to 1.
	Progress float64 `json:"progress"`
	// Interesting, Choking, Interested and Unchoked are the state of the connection: it has
	// what we want, it lets us not request, it wants what we have, we let it request.
	Interesting bool `json:"interesting"`
	Choking     bool `json:"choking"`
	Interested  bool `json:"interested"`
	Unchoked    bool `json:"unchoked"`
	// Waiting says what the connection waits for.
	Waiting  string `json:"waiting,omitempty"`
	Down     int64  `json:"down"`
	Up       int64  `json:"up"`
	DownRate int64  `json:"down-rate"`
	UpRate   int64  `json:"up-rate"`
	// Asked counts the blocks that we wait for, Queued those that the peer waits for.
	Asked     int        `json:"asked"`
	Queued    int        `json:"queued"`
	Connected *time.Time `json:"connected,omitempty"`
}

// An AddPeer names a peer to try.
type AddPeer struct {
	// Address is ADDRESS:PORT.
	Address string `json:"address"`
}

// Pieces describe the pieces of a torrent, or equal parts of it.
type Pieces struct {
	// Pieces counts the pieces, PieceLength is the bytes of each but the last.
	Pieces      int `json:"pieces"`
	PieceLength int `json:"piece-length"`
	// Cells counts the values of Have, Availability and InFlight: all pieces, or as many parts
	// as were asked for.
	Cells int `json:"cells"`
	// Have has a byte for each cell in base64: the share of it that is verified, from 0 to 255.
	Have []byte `json:"have"`
	// Availability has a byte for each cell in base64: how many of the connected peers have the
	// piece of it that fewest have, at most 255.
	Availability []byte `json:"availability"`
	// InFlight has the cells with pieces that are being fetched.
	InFlight []int `json:"in-flight"`
	// Bits is the bitfield of verified pieces in base64, the first piece in the highest bit; it
	// is there if all pieces are shown.
	Bits []byte `json:"bits,omitempty"`
}

// Trackers are the trackers of a torrent.
type Trackers struct {
	Trackers []Tracker `json:"trackers"`
}

// A Tracker is one tracker of a torrent.
type Tracker struct {
	URL  string `json:"url"`
	Tier int    `json:"tier"`
	// User says that the user named it, and not the torrent or link.
	User bool `json:"user"`
	// Status is not asked, announcing, working, failing or refused.
	Status string `json:"status"`
	// Error says why the last announce failed, Message what the tracker said.
	Error        string     `json:"error,omitempty"`
	Message      string     `json:"message,omitempty"`
	LastAnnounce *time.Time `json:"last-announce,omitempty"`
	NextAnnounce *time.Time `json:"next-announce,omitempty"`
	// Seeds, Leeches and Downloaded are what the tracker counts; absent if it does not say.
	Seeds      *int `json:"seeds,omitempty"`
	Leeches    *int `json:"leeches,omitempty"`
	Downloaded *int `json:"downloaded,omitempty"`
	// Peers counts the addresses that it gave.
	Peers int64 `json:"peers"`
}

// Tiers replace the trackers of a torrent: those of one tier are alternatives. Absent tiers
// are those of the torrent or link again.
type Tiers struct {
	Tiers [][]string `json:"tiers,omitempty"`
}

// WebSeeds are the web seeds of a torrent.
type WebSeeds struct {
	WebSeeds []WebSeed `json:"webseeds"`
}

// A WebSeed is one web seed of a torrent.
type WebSeed struct {
	URL  string `json:"url"`
	User bool   `json:"user"`
	// Status is idle, active, waiting or failed.
	Status string     `json:"status"`
	Error  string     `json:"error,omitempty"`
	Retry  *time.Time `json:"retry,omitempty"`
	Down   int64      `json:"down"`
	Rate   int64      `json:"rate"`
}

// URLs replace the web seeds of a torrent. Absent ones are those of the torrent or link again.
type URLs struct {
	URLs []string `json:"urls,omitempty"`
}
