package daemon

import (
	"encoding/json"
	"strings"
	"testing"
)

// What is shown has no secret, and the settings themselves stay as they are.
func TestShownSettingsHaveNoSecrets(t *testing.T) {
	s := Settings{
		Dir: "/srv",
		Blocklists: []string{"https://ann:s3cret@example.com/list.gz?pin=s3cret", "/etc/list",
			"HTTP://s3cret@example.com"},
		OnAdded:    []string{"/bin/added"},
		OnComplete: []string{"curl", "-u", "ann:s3cret", "https://example.com"},
		OnError:    []string{"mail", "s3cret"},
		Notes:      map[string]string{"lists": `["https://s3cret@example.com/"]`, "n": "5"},
	}
	before, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := json.Marshal(s.Shown())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(shown), "s3cret") {
		t.Errorf("shown: %s", shown)
	}
	for _, part := range []string{`"dir":"/srv"`, `"https://example.com/list.gz","/etc/list"`,
		`"on-added":["/bin/added"]`, `"curl","[withheld]","[withheld]"`, `"n":"5"`} {
		if !strings.Contains(string(shown), part) {
			t.Errorf("%s is missing in %s", part, shown)
		}
	}
	if after, err := json.Marshal(s); err != nil || string(after) != string(before) {
		t.Errorf("after: %s, %v", after, err)
	}
}
