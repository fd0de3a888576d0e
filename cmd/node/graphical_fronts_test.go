//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"testing"
)

// addr is where the daemon answers front ends.
func (d *desk) addr() netip.AddrPort {
	d.t.Helper()
	addr, err := netip.ParseAddrPort(d.runningDaemon.start.RPC[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return addr
}

// transmission-qt 3.00. Its list of files takes no focus from the keyboard, so one click gives
// it the focus. Its window with questions about a new torrent is left out: the program ends by
// a segmentation fault if somebody answers before the free space is known.
func TestFrontQt(t *testing.T) {
	d := newDesk(t, "transmission-qt", "--add-paused")
	if d == nil {
		return
	}
	d.config("qt/settings.json", fmt.Sprintf(`{"user-has-given-informed-consent": true,
		"remote-session-enabled": true, "remote-session-host": "127.0.0.1",
		"remote-session-port": %d, "show-options-window": false, "main-window-width": 400,
		"main-window-height": 500}`, d.addr().Port()))
	const main, asks = "Transmission - .*", " *"
	d.open(main, "--config-dir", d.home+"/qt")

	d.add(d.film, main)
	d.await(t, "the film, paused", has("Film", "stopped"))
	d.untilWindow("Torrent Properties", "ctrl+a", "alt+KP_Enter")
	d.keys("ctrl+Tab", "ctrl+Tab", "ctrl+Tab") // to the files
	d.untilEach(switchAfter, func() {
		d.click("250", "350")
		d.keys("Home", "asterisk") // asterisk opens the folder
		if len(d.skipped(t, "Film")) == 0 {
			d.keys("End") // else the folder is switched once more
		}
		d.keys("space")
	}, d.noTwo)
	d.keys("ctrl+Tab", "Tab", "space", "Tab") // to the limits, and switch that of downloads on
	d.write(fmt.Sprint(deskLimit))
	d.keys("Tab")
	d.limited()
	d.untilWindow(main, "Escape")

	d.untilTorrents(func() { d.keys("ctrl+a", "ctrl+s") }, has("Film", "seeding"))
	d.untilTorrents(func() { d.keys("ctrl+a", "ctrl+p") }, has("Film", "stopped"))
	d.untilWindow("Set Torrent Location", "ctrl+a", "alt+t", "l")
	d.write(d.films())
	d.keys("Return")
	d.moved()
	d.untilTorrents(func() { d.keys("ctrl+a", "ctrl+s") }, has("Film", "seeding"))
	d.untilWindow(asks, "ctrl+a", "Delete")
	d.keys("Tab", "space")
	d.await(t, "no film", has("Film", ""))

	d.window(main)
	d.add(d.magnet, main)
	d.untilTorrents(func() { d.keys("ctrl+a", "ctrl+s") }, has("Song.bin", "seeding"))
	d.untilWindow(asks, "ctrl+a", "shift+Delete")
	d.keys("Tab", "space")
	d.removed()
}

// transmission-remote-gtk 1.5.1. Neither its list of torrents takes the focus from the keyboard,
// nor do the boxes of files.
func TestFrontGtk(t *testing.T) {
	d := newDesk(t, "transmission-remote-gtk")
	if d == nil {
		return
	}
	d.config(".config/transmission-remote-gtk/config.json", fmt.Sprintf(`{"profiles": [{
		"profile-name": "Default", "hostname": "127.0.0.1", "port": %d,
		"rpc-url-path": "/transmission/rpc", "username": "", "password": "",
		"auto-connect": true, "ssl": false, "timeout": 40, "retries": 3,
		"update-active-only": false, "activeonly-fullsync-enabled": false,
		"activeonly-fullsync-every": 2, "update-interval": 1, "min-update-interval": 1,
		"session-update-interval": 60, "exec-commands": [], "destinations": []}], "profile": 0,
		"add-options-dialog": true, "start-paused": true, "delete-local-torrent": false,
		"add-notify": false, "complete-notify": false, "system-tray": false}`, d.addr().Port()))
	const main, adds = "Transmission Remote", "Add Torrent"
	d.open(main)
	// Whoever uses the list has clicked into it, below the last torrent.
	all := func(keys ...string) {
		if d.isActive(main) == nil {
			d.click("600", "400")
		}
		d.keys(append([]string{"ctrl+shift+a", "ctrl+a"}, keys...)...) // none, then all
	}

	d.add(d.film, adds)
	d.keys("Return")
	d.await(t, "the film, paused", has("Film", "stopped"))
	properties := func() error { return d.isActive("Film") }
	d.until(func() { all("ctrl+i") }, properties)
	d.keys("Right") // to the files
	d.untilEach(switchAfter, func() { d.click("485", "158") }, d.noTwo)
	d.untilWindow(main, "Escape")
	d.until(func() { all("ctrl+i") }, properties)
	d.keys("Right", "Right", "Right", "Right") // to the limits
	d.keys("Tab", "Tab", "Tab", "Tab", "space", "Tab")
	d.write(fmt.Sprint(deskLimit))
	d.keys("Tab", "alt+o")
	d.limited()
	d.window(main)

	d.untilTorrents(func() { all("ctrl+r") }, has("Film", "seeding"))
	d.untilTorrents(func() { all("ctrl+p") }, has("Film", "stopped"))
	d.until(func() { all("ctrl+m") }, func() error { return d.isActive("Move Film") })
	d.write(d.films())
	d.keys("Tab", "Tab", "Tab", "Tab", "space")
	d.moved()
	d.window(main)
	d.untilTorrents(func() { all("ctrl+r") }, has("Film", "seeding"))
	asks := func() error { return d.isActive("") }
	d.until(func() { all("Delete") }, asks)
	d.keys("Tab", "space")
	d.await(t, "no film", has("Film", ""))

	d.window(main)
	d.add(d.magnet, adds)
	d.keys("Return")
	d.window(main)
	d.untilTorrents(func() { all("ctrl+r") }, has("Song.bin", "seeding"))
	d.until(func() { all("shift+Delete") }, asks)
	d.keys("Tab", "space")
	d.removed()
}

// transgui 5.18 adds a torrent in order to ask which files are wanted.
func TestFrontTransgui(t *testing.T) {
	d := newDesk(t, "transgui")
	if d == nil {
		return
	}
	d.config(".config/Transmission Remote GUI/transgui.ini", fmt.Sprintf(`[Hosts]
Count=1
Host1=daemon
CurHost=daemon
[Connection.daemon]
Host=127.0.0.1
Port=%d
[Interface]
AskCheckNewVersion=0
`, d.addr().Port()))
	const main, asks = "Transmission Remote GUI .*", "Confirmation"
	d.open(asks) // whether it may fetch a database of addresses
	d.untilWindow(main, "alt+n")

	d.add(d.film, "Add new torrent - Film")
	d.keys("Tab", "Tab", "Tab", "Tab", "Tab", "Tab", "End", "space") // to the files
	d.keys("Return")
	d.await(t, "the film, started", has("Film", "seeding"))
	awaitFront(t, d.noTwo)
	d.window(main)
	d.untilTorrents(func() { d.keys("ctrl+a", "F4") }, has("Film", "stopped"))
	d.untilWindow("Torrent properties - Film", "ctrl+a", "alt+Return")
	d.keys("Tab", "space", "Tab")
	d.write(fmt.Sprint(deskLimit))
	d.keys("Return")
	d.limited()
	d.window(main)
	d.untilWindow("Torrent data location - Film", "ctrl+a", "F6")
	d.write(d.films())
	d.keys("Return")
	d.moved()
	d.window(main)
	d.untilTorrents(func() { d.keys("ctrl+a", "F3") }, has("Film", "seeding"))
	d.untilWindow(asks, "ctrl+a", "Delete")
	d.keys("alt+y")
	d.await(t, "no film", has("Film", ""))

	d.window(main)
	d.add(d.magnet, "Add new torrent - Song.bin")
	d.keys("Return")
	d.await(t, "the song, started", has("Song.bin", "seeding"))
	d.window(main)
	d.untilWindow(asks, "ctrl+a", "shift+Delete")
	d.keys("alt+y")
	d.removed()
}
