package swarm

import (
	"fmt"
	"strings"
)

// clientNames are the programs behind the two letters of a peer id like "-TR3000-"
// (BEP 20, "Azureus-style").
var clientNames = map[string]string{
	"AG": "Ares", "AZ": "Vuze", "BC": "BitComet", "BE": "baretorrent", "BI": "BiglyBT",
	"BL": "BitLord", "BT": "BitTorrent", "BW": "BitTorrent Web", "DE": "Deluge",
	"FD": "Free Download Manager", "FL": "Flud", "GT": "anacrolix/torrent", "HL": "Halite",
	"JT": "JavaTorrent", "KG": "KGet", "KT": "KTorrent", "LP": "Lphant", "LT": "libtorrent",
	"LW": "LimeWire", "PI": "PicoTorrent", "QD": "QQDownload", "SD": "Thunder",
	"SN": "swarmnode", "SZ": "Shareaza", "TL": "Tribler", "TR": "Transmission", "TX": "Tixati",
	"UE": "µTorrent Embedded", "UM": "µTorrent Mac", "UT": "µTorrent", "UW": "µTorrent Web",
	"WD": "WebTorrent Desktop", "WW": "WebTorrent", "XF": "Xfplay", "XL": "Xunlei",
	"lt": "rTorrent", "qB": "qBittorrent", "rQ": "rqbit",
}

// clientOf returns the program that a peer id names, with its version, or "". A peer can
// write there what it likes.
func clientOf(id [20]byte) string {
	if id[0] == '-' && id[7] == '-' {
		name, ok := clientNames[string(id[1:3])]
		if !ok {
			return ""
		}
		return strings.TrimSpace(name + " " + versionOf(string(id[1:3]), id[3:7]))
	}
	switch {
	case string(id[:3]) == "A2-":
		return dashed("aria2", string(id[3:]))
	case id[0] == 'M':
		return dashed("BitTorrent", string(id[1:]))
	}
	return ""
}

// dashed returns a name and a version of three numbers that is written as in "7-10-5--", or
// "" if it is not written so.
func dashed(name, version string) string {
	parts := strings.SplitN(version, "-", 4)
	if len(parts) < 4 {
		return ""
	}
	for _, part := range parts[:3] {
		if part == "" || len(part) > 3 || strings.Trim(part, "0123456789") != "" {
			return ""
		}
	}
	return name + " " + strings.Join(parts[:3], ".")
}

// versionOf returns the version in the four characters of a peer id, or "". A letter is a
// number from 10 on.
func versionOf(client string, b []byte) string {
	var n [4]int
	for i, c := range b {
		switch {
		case c >= '0' && c <= '9':
			n[i] = int(c - '0')
		case c >= 'A' && c <= 'Z':
			n[i] = int(c-'A') + 10
		case c >= 'a' && c <= 'z':
			n[i] = int(c-'a') + 36
		default:
			return ""
		}
	}
	switch {
	case client == "TR" && n[0] < 4: // up to 3.00 it has two decimals
		return fmt.Sprintf("%d.%d%d", n[0], n[1], n[2])
	case n[3] == 0 || client == "TR" || client == "UT" || client == "UM":
		return fmt.Sprintf("%d.%d.%d", n[0], n[1], n[2])
	}
	return fmt.Sprintf("%d.%d.%d.%d", n[0], n[1], n[2], n[3])
}
