package feed_test

import (
	"fmt"
	"time"

	"swarmnode/swarm/feed"
)

// A room has a place in the feed.
type room struct {
	name  string
	entry feed.Entry[room]
}

// A reader that comes late finds each item once.
func Example() {
	var f feed.Feed[room, string]
	f.Init(time.Now(), func(r *room) *feed.Entry[room] { return &r.entry },
		func(r *room) string { return r.name })
	kitchen, hall := &room{name: "kitchen"}, &room{name: "hall"}
	f.Add(kitchen)
	f.Add(hall)
	first, _, _ := f.Read(0)
	f.Change(kitchen, 1)
	f.Change(kitchen, 2)
	f.Remove(hall)
	news, _, _ := f.Read(first.Seq)
	for _, c := range news.Items {
		fmt.Println(c.Item.name, c.Kinds)
	}
	fmt.Println("gone:", news.Removed)
	// Output:
	// kitchen 3
	// gone: [hall]
}
