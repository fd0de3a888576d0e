package transmission

import (
	"slices"
	"strings"

	"swarmnode/metainfo/weburl"
)

// trackersMax bounds the trackers of a request.
const trackersMax = 1000

// A trackerEdit changes the trackers of a torrent. The ids of trackers are their places.
type trackerEdit struct {
	list    [][]string // in place of all others; nil: the rest of the edit counts
	add     []string
	remove  []int
	replace map[int]string
}

// trackerEdit reads the parameters about trackers; nil without any.
func (c *call) trackerEdit() (*trackerEdit, error) {
	var e trackerEdit
	if list, ok := c.params.get("trackerList", "tracker_list").text(); ok {
		tiers, err := parseTrackerList(list)
		if err != nil {
			return nil, err
		}
		e.list = tiers
		return &e, nil
	}
	add := c.params.get("trackerAdd", "tracker_add")
	remove := c.params.get("trackerRemove", "tracker_remove")
	replace := c.params.get("trackerReplace", "tracker_replace")
	if add.kind() != '[' && remove.kind() != '[' && replace.kind() != '[' {
		return nil, nil
	}
	for element := range add.elements() {
		url, ok := element.text()
		if !ok || !isTracker(url) || len(e.add) == trackersMax {
			return nil, &fault{code: codeAnnounceList}
		}
		e.add = append(e.add, url)
	}
	for element := range remove.elements() {
		if id, ok := element.integer(); ok && id >= 0 && id < trackersMax {
			e.remove = append(e.remove, int(id))
		}
		if len(e.remove) > trackersMax {
			return nil, &fault{code: codeAnnounceList}
		}
	}
	return &e, e.readReplace(replace)
}

// readReplace reads the list of pairs of an id and a URL.
func (e *trackerEdit) readReplace(list value) error {
	e.replace = make(map[int]string)
	id := int64(-1)
	for element := range list.elements() {
		if n, ok := element.integer(); ok && element.kind() == '0' {
			id = n
			continue
		}
		url, ok := element.text()
		if !ok || !isTracker(url) || id < 0 || id >= trackersMax || len(e.replace) == trackersMax {
			return &fault{code: codeAnnounceList}
		}
		e.replace[int(id)] = url
		id = -1
	}
	return nil
}

// apply returns the tiers of a torrent after the edit. They are not nil.
func (e *trackerEdit) apply(tiers [][]string) ([][]string, error) {
	if e.list != nil {
		return e.list, nil
	}
	changed := [][]string{}
	have := make(map[string]bool)
	id := 0
	for _, tier := range tiers {
		var kept []string
		for _, url := range tier {
			if other := e.replace[id]; other != "" {
				url = other
			}
			if !slices.Contains(e.remove, id) && !have[url] {
				kept = append(kept, url)
				have[url] = true
			}
			id++
		}
		if len(kept) > 0 {
			changed = append(changed, kept)
		}
	}
	for wrong := range e.replace {
		if wrong >= id {
			return nil, &fault{code: codeAnnounceList}
		}
	}
	for _, url := range e.add {
		if !have[url] {
			changed = append(changed, []string{url})
			have[url] = true
		}
	}
	return changed, nil
}

// parseTrackerList reads tiers as trackerList writes them. They are not nil.
func parseTrackerList(text string) ([][]string, error) {
	tiers := [][]string{}
	inTier := false
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			inTier = false
			continue
		}
		if n++; !isTracker(line) || n > trackersMax {
			return nil, &fault{code: codeTrackerList}
		}
		if !inTier {
			tiers = append(tiers, nil)
			inTier = true
		}
		tiers[len(tiers)-1] = append(tiers[len(tiers)-1], line)
	}
	return tiers, nil
}

// isTracker reports whether s can be the URL of a tracker.
func isTracker(s string) bool {
	u, err := weburl.Parse(s)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "udp"
}
