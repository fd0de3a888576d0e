package metainfo

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// docs/torrents.md names the limits as they are.
func TestLimitsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/torrents.md")
	if err != nil {
		t.Fatal(err)
	}
	mib := func(n int) string { return fmt.Sprintf("%d MiB", n>>20) }
	for what, most := range map[string]string{
		"`.torrent` file": mib(TorrentBytesMax),
		"metadata from peers, info dictionary that is made": mib(InfoBytesMax),
		"pieces":                            fmt.Sprint(PiecesMax),
		"piece length":                      mib(PieceLengthMax),
		"files, with padding":               fmt.Sprint(FilesMax),
		"folders in folders, with the file": fmt.Sprint(PathDepthMax),
		"one name": fmt.Sprintf("%d bytes; longer ones are cut",
			ElementBytesMax),
		"a path":      fmt.Sprintf("%d bytes", PathBytesMax),
		"magnet link": fmt.Sprintf("%d KiB, %d parameters", MagnetBytesMax>>10, magnetParamsMax),
		"trackers, web seeds, DHT nodes, peers of a link": fmt.Sprintf(
			"%d each; the rest is left out", TrackersMax),
	} {
		if row := fmt.Sprintf("| %s | %s |", what, most); !strings.Contains(string(text), row) {
			t.Errorf("docs/torrents.md has no row %q", row)
		}
	}
	if LengthMax != 1<<60 {
		t.Error("the page has another bound of the content")
	}
	for _, most := range []int{WebSeedsMax, NodesMax, PeersMax} {
		if most != TrackersMax {
			t.Errorf("the page has one bound of all lists, and one is %d", most)
		}
	}
}
