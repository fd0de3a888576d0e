package transmission

import (
	"encoding/json"
	"slices"
	"strings"

	"swarmnode/daemon"
)

// blocklistSettings are about blocklists. Clients know the URL of one list; files of the user
// and further lists stay as they are.
var blocklistSettings = []setting{
	settable("blocklist-url", "blocklist_url",
		func(w *writer, s *session) { w.text(blocklistURL(&s.all)) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			url, ok := v.text()
			if !ok {
				return nil, nil
			}
			if url != "" && !isWeb(url) {
				return nil, invalid("the URL of a blocklist begins with http:// or https://")
			}
			return func(s *daemon.Settings) { setBlocklistURL(s, url) }, nil
		}),
	settable("blocklist-enabled", "blocklist_enabled",
		func(w *writer, s *session) { w.bool(len(s.all.Blocklists) > 0) },
		func(_ *call, v value) (func(s *daemon.Settings), error) {
			on, ok := v.truth()
			if !ok {
				return nil, nil
			}
			return func(s *daemon.Settings) {
				switch lists := blocklists(s); {
				case on:
					s.Blocklists = lists
				case len(lists) > 0:
					noteBlocklists(s, lists)
					s.Blocklists = nil
				}
			}, nil
		}),
	fixed("blocklist-size", "blocklist_size",
		func(w *writer, s *session) { w.int(int64(s.node.Blocklist().Ranges)) }),
}

// isWeb reports whether s is the URL of a web server.
func isWeb(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://")
}

// blocklists returns the lists in use, or else those that were used last.
func blocklists(s *daemon.Settings) []string {
	if len(s.Blocklists) > 0 {
		return s.Blocklists
	}
	var kept []string
	if json.Unmarshal([]byte(s.Notes[notePrefix+"blocklists"]), &kept) != nil {
		return nil
	}
	return kept
}

// noteBlocklists remembers lists that are not in use.
func noteBlocklists(s *daemon.Settings, lists []string) {
	text, err := json.Marshal(lists)
	if err == nil {
		setNote(&s.Notes, "blocklists", string(text))
	}
}

// blocklistURL returns the first list that is a URL, or "".
func blocklistURL(s *daemon.Settings) string {
	lists := blocklists(s)
	if i := slices.IndexFunc(lists, isWeb); i >= 0 {
		return lists[i]
	}
	return ""
}

// setBlocklistURL replaces the first list that is a URL.
func setBlocklistURL(s *daemon.Settings, url string) {
	lists := slices.Clone(blocklists(s))
	switch i := slices.IndexFunc(lists, isWeb); {
	case i >= 0 && url == "":
		lists = slices.Delete(lists, i, i+1)
	case i >= 0:
		lists[i] = url
	case url != "":
		lists = append(lists, url)
	}
	if len(s.Blocklists) > 0 {
		s.Blocklists = lists
	}
	noteBlocklists(s, lists)
}

// blocklistUpdate reads the lists again, and answers with how many ranges they have.
func blocklistUpdate(c *call) error {
	if err := c.h.daemon.Node().ReloadBlocklist(c.ctx); err != nil {
		return &fault{code: codeBlocklist, text: "blocklist: " + err.Error()}
	}
	c.out.name("blocklist-size", "blocklist_size")
	c.out.int(int64(c.h.daemon.Node().Blocklist().Ranges))
	return nil
}
