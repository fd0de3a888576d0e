package daemon

import (
	"time"

	"swarmnode/swarm"
)

// Options are what the user sets for one torrent.
type Options struct {
	// Dir is the folder for the finished content.
	Dir string `json:"dir"`
	// Files has a priority for each file of the layout; nil: all are normal.
	Files      []swarm.Priority `json:"files,omitempty"`
	Sequential bool             `json:"sequential,omitempty"`
	Labels     []string         `json:"labels,omitempty"`
	Group      string           `json:"group,omitempty"` // of bandwidth; see Settings

	// Down and Up are in bytes per second; 0 is no limit of its own. Alone leaves the torrent
	// out of the limits of Settings. Peers bounds its connections; 0 means the default.
	Down  int64 `json:"down,omitempty"`
	Up    int64 `json:"up,omitempty"`
	Alone bool  `json:"alone,omitempty"`
	Peers int   `json:"peers,omitempty"`
	// Rank is the priority among torrents, from -1 to 1.
	Rank int `json:"rank,omitempty"`

	Ratio Goal[float64]       `json:"ratio"`
	Time  Goal[time.Duration] `json:"time"`
	Idle  Goal[time.Duration] `json:"idle"`

	// Trackers and WebSeeds replace those of the torrent; nil leaves them.
	Trackers [][]string `json:"trackers"`
	WebSeeds []string   `json:"webseeds"`

	// Stopped says that the user wants it to rest, Forced that it does not queue.
	Stopped bool `json:"stopped,omitempty"`
	Forced  bool `json:"forced,omitempty"`

	Notes map[string]string `json:"notes,omitempty"`
}

// A Goal is a number at which a torrent stops: that of Settings, its own, or none.
type Goal[T float64 | time.Duration] struct {
	Mode GoalMode `json:"mode"`
	At   T        `json:"at,omitempty"` // while Mode is GoalOwn
}

// A GoalMode says where the number of a Goal comes from.
type GoalMode uint8

// The modes, with the numbers that Transmission gives them.
const (
	GoalGlobal GoalMode = iota // that of Settings
	GoalOwn                    // Goal.At
	GoalNone                   // no goal
)
