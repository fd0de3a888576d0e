package api

import (
	"time"

	"swarmnode/daemon"
)

// A FolderPage shows a folder of the machine of the daemon.
type FolderPage struct {
	// Dir is the folder; empty shows the folders to begin with, whose names are whole paths.
	Dir string `json:"dir"`
	// Parent is the folder above it; absent if there is none that may be shown.
	Parent string `json:"parent,omitempty"`
	// Entries are the first 5,000 entries, subfolders first. Links are shown as what they lead
	// to.
	Entries []FolderEntry `json:"entries"`
	// Total counts the entries. More says that the folder has more than were looked at.
	Total int  `json:"total"`
	More  bool `json:"more,omitempty"`
}

// A FolderEntry is a file or folder of the machine of the daemon.
type FolderEntry struct {
	Name     string     `json:"name"`
	Folder   bool       `json:"folder"`
	Size     int64      `json:"size"`
	Modified *time.Time `json:"modified,omitempty"`
}

// An Inspection says what a torrent is that may be added.
type Inspection struct {
	// Hash is the info-hash, V2 the whole one of a v2 or hybrid torrent.
	Hash string `json:"hash"`
	V2   string `json:"v2,omitempty"`
	Name string `json:"name"`
	// Size is in bytes, padding left out.
	Size     int64    `json:"size"`
	Private  bool     `json:"private"`
	Comment  string   `json:"comment,omitempty"`
	Trackers []string `json:"trackers"`
	// Files are the files, padding left out.
	Files []InspectedFile `json:"files"`
	// Exists is the number of the torrent if it is there already.
	Exists daemon.ID `json:"exists,omitempty"`
}

// An InspectedFile is a file of a torrent that may be added.
type InspectedFile struct {
	// Index is the place among all files, from 0, and Path the way from the top, with slashes.
	Index int    `json:"index"`
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	// Wanted is false for files that a link leaves out.
	Wanted bool `json:"wanted"`
}

// A Create describes a torrent to make of content on the machine of the daemon.
type Create struct {
	// Path is the file or folder, absolute. Name is that of the torrent; absent: that of Path.
	Path string `json:"path"`
	Name string `json:"name,omitempty"`
	// Trackers are tiers of trackers: those of one tier are alternatives.
	Trackers [][]string `json:"trackers,omitempty"`
	WebSeeds []string   `json:"webseeds,omitempty"`
	// Private says that only the trackers may name peers.
	Private bool   `json:"private,omitempty"`
	Comment string `json:"comment,omitempty"`
	// PieceLength is a power of two, in bytes; 0 chooses one by the size.
	PieceLength int `json:"piece-length,omitempty"`
	// Format is that of the torrent; absent: hybrid.
	Format CreateFormat `json:"format,omitempty"`
	Labels []string     `json:"labels,omitempty"`
	// NoDate leaves the date out.
	NoDate bool `json:"no-date,omitempty"`
	// Seed says whether the torrent starts once it is made; absent: it does.
	Seed *bool `json:"seed,omitempty"`
}

// A CreateFormat is the word for the format of a torrent.
type CreateFormat string

// The formats.
const (
	FormatV1     CreateFormat = "v1"
	FormatV2     CreateFormat = "v2"
	FormatHybrid CreateFormat = "hybrid"
)

// Creations are the torrents that are being made, and the last ones that were.
type Creations struct {
	Creations []Creation `json:"creations"`
}

// A Creation is a torrent that is being made, or was.
type Creation struct {
	// ID is its number, until the daemon ends.
	ID     int            `json:"id"`
	Path   string         `json:"path"`
	Name   string         `json:"name"`
	Status CreationStatus `json:"status"`
	// Hashed and Total are bytes of content. Skipped counts what is left out: hidden files,
	// links that lead out of the folder, and what is neither a file nor a folder.
	Hashed  int64 `json:"hashed"`
	Total   int64 `json:"total"`
	Skipped int   `json:"skipped"`
	// Error says why it failed.
	Error string `json:"error,omitempty"`
	// Hash and Torrent are the info-hash and the number of the torrent, once it is done.
	Hash    string    `json:"hash,omitempty"`
	Torrent daemon.ID `json:"torrent,omitempty"`
}

// A CreationStatus is the word for how far a Creation has come.
type CreationStatus string
