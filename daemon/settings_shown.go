package daemon

import (
	"strings"

	"swarmnode"
)

// withheld stands where Shown leaves something out.
const withheld = "[withheld]"

// Shown returns the settings as somebody may see them who must not learn secrets: the URLs of
// blocklists without a password and parameters, and commands without their arguments. Notes that
// have a URL are left out.
func (s Settings) Shown() Settings {
	s = s.clone()
	for i, list := range s.Blocklists {
		s.Blocklists[i] = swarmnode.BlocklistSource{Name: list}.Shown()
	}
	for _, command := range [][]string{s.OnAdded, s.OnComplete, s.OnError} {
		for i := 1; i < len(command); i++ {
			command[i] = withheld
		}
	}
	for name, note := range s.Notes {
		if strings.Contains(note, "://") {
			delete(s.Notes, name)
		}
	}
	return s
}
