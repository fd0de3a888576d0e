package queue_test

import (
	"fmt"
	"time"

	"swarmnode/daemon/queue"
)

// Three torrents want to download, and two may.
func Example() {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	list := make([]queue.Torrent, 3)
	for i := range list {
		list[i] = queue.Torrent{Kind: queue.Download, Since: now}
	}
	var planner queue.Planner
	plan := planner.Decide(now, queue.Limits{Downloads: 2}, list)
	for _, step := range plan.Steps {
		fmt.Println("start torrent", step.Torrent)
		list[step.Torrent].Start(now)
	}
	// Output:
	// start torrent 0
	// start torrent 1
}
