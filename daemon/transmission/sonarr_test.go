package transmission

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"swarmnode/daemon"
)

// What Sonarr and Radarr do: they look at the version, add an episode with their label, poll
// until it is complete, set its goal, wait until it has stopped, and remove it with its data.
// The content really travels from one daemon to another, and on to a third one.
func TestSonarr(t *testing.T) {
	from, torrent := makeTorrent(t, "episode", 300_000, 1000)
	source := newBench(t)
	seed := source.add(daemon.AddSpec{Torrent: torrent, Complete: true,
		Options: daemon.Options{Dir: from}})
	source.want(int(seed.ID()), "status", 6)

	b := newBench(t)
	if got := b.session("version"); got < "4.0" {
		t.Fatalf("the version is %s", got)
	}
	added := b.call("torrent-add", obj{"filename": torrent.Magnet().String(),
		"download-dir": filepath.Join(b.dir, "tv-sonarr"), "labels": []string{"tv-sonarr"},
		"paused": false})["torrent-added"].(obj)
	hash := added["hashString"]
	b.call("torrent-set", obj{"ids": []any{hash}, "seedRatioMode": 1, "seedRatioLimit": 1,
		"seedIdleMode": 1, "seedIdleLimit": 60})
	b.call("queue-move-top", obj{"ids": []any{hash}})
	one := b.daemon.ByID(daemon.ID(added["id"].(float64)))
	if err := one.AddPeer(t.Context(), source.daemon.Node().Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	b.eventually("the episode is complete", func() bool {
		e := b.episode(hash)
		if e["errorString"] != "" {
			t.Fatalf("the error is %v", e["errorString"])
		}
		return e["totalSize"] == 301_000.0 && e["leftUntilDone"] == 0.0 && e["status"] == 6.0
	})
	e := b.episode(hash)
	if fmt.Sprint(e["labels"]) != "[tv-sonarr]" || e["isFinished"] != false ||
		e["seedRatioLimit"] != 1.0 || e["file-count"] != 2.0 ||
		e["downloadDir"] != filepath.Join(b.dir, "tv-sonarr") {
		t.Errorf("the episode is %v", e)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "tv-sonarr", "episode", "file0.mkv")); err != nil {
		t.Error(err)
	}
	third := newBench(t)
	leech := third.add(daemon.AddSpec{Magnet: torrent.Magnet(),
		Peers: []string{b.daemon.Node().Addrs()[0].String()}})
	third.want(int(leech.ID()), "leftUntilDone", 0)
	third.eventually("it is whole", func() bool {
		return third.get(int(leech.ID()), "status") == 6.0
	})
	b.eventually("the episode has stopped at its ratio", func() bool {
		e := b.episode(hash)
		return e["status"] == 0.0 && e["isFinished"] == true && e["uploadedEver"] != 0.0
	})
	b.call("torrent-remove", obj{"ids": []any{hash}, "delete-local-data": true})
	if list := b.call("torrent-get", obj{"fields": []string{"id"}})["torrents"].([]any); len(
		list) != 0 {
		t.Errorf("it stays: %v", list)
	}
	if _, err := os.Stat(filepath.Join(b.dir, "tv-sonarr", "episode")); !os.IsNotExist(err) {
		t.Errorf("its data stays: %v", err)
	}
}

// episode returns what Sonarr asks for.
func (b *bench) episode(hash any) obj {
	b.t.Helper()
	list := b.call("torrent-get", obj{"fields": []string{"id", "hashString", "name",
		"downloadDir", "totalSize", "leftUntilDone", "isFinished", "eta", "status",
		"secondsDownloading", "secondsSeeding", "errorString", "uploadedEver", "downloadedEver",
		"seedRatioLimit", "seedRatioMode", "seedIdleLimit", "seedIdleMode", "fileCount",
		"file-count", "labels"}})["torrents"].([]any)
	for _, one := range list {
		if e := one.(obj); e["hashString"] == hash {
			return e
		}
	}
	b.t.Fatalf("%v is not among %v", hash, list)
	return nil
}
