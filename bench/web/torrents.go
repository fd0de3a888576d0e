//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strings"
)

var (
	labels = []string{"films", "music", "distributions", "books", "science", "archive"}
	words  = []string{"Annual", "Report", "Lecture", "Concert", "Survey", "Atlas", "Weekly",
		"Field"}
	servers = []string{"tracker.example", "announce.example.org", "open.example.net"}
)

// labelsOf returns the labels of a torrent in a round of changes.
func labelsOf(i, round int) []string {
	return []string{labels[i%len(labels)], fmt.Sprintf("%d", 2000+round%25)}
}

// text appends a string of bencode.
func text(b *bytes.Buffer, s string) { fmt.Fprintf(b, "%d:%s", len(s), s) }

// smallTorrent returns the i-th .torrent file of one file.
func smallTorrent(i int) []byte {
	var b bytes.Buffer
	b.WriteString("d8:announce")
	text(&b, "https://"+servers[i%len(servers)]+"/announce")
	size := 1<<20 + i*4099
	fmt.Fprintf(&b, "4:infod6:lengthi%de4:name", size)
	text(&b, fmt.Sprintf("%s %s %s, part %05d of the collection", words[i%8], words[i/8%8],
		words[i/64%8], i))
	b.WriteString("12:piece lengthi4194304e6:pieces")
	text(&b, strings.Repeat(fmt.Sprintf("%020d", i), (size+4<<20-1)/(4<<20)))
	b.WriteString("ee")
	return b.Bytes()
}

// torrentOfFiles returns a .torrent file of many files of 16 KiB, in folders of 200.
func torrentOfFiles(files int) []byte {
	var b bytes.Buffer
	b.WriteString("d4:infod5:filesl")
	for i := range files {
		b.WriteString("d6:lengthi16384e4:pathl")
		text(&b, fmt.Sprintf("folder %04d", i/200))
		text(&b, fmt.Sprintf("A file of usual length, number %06d.txt", i))
		b.WriteString("ee")
	}
	b.WriteString("e4:name")
	text(&b, "Many files")
	b.WriteString("12:piece lengthi4194304e6:pieces")
	text(&b, strings.Repeat("m", 20*((files*16384+4<<20-1)/(4<<20))))
	b.WriteString("ee")
	return b.Bytes()
}
