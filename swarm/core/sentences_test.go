package core

import (
	"slices"
	"strings"
	"testing"
)

// A sentence of a BEP, with a dialogue that shows it. The dialogue is a script as in
// testdata. What its last line makes the torrent do has every line of does, in their
// order, and none of never; a trailing * matches the rest of a line.
type sentence struct {
	bep    string
	says   string
	script string
	does   []string
	never  []string
}

// sentences are those of the BEPs that the core obeys and that no script quotes.
var sentences = []sentence{
	{"3, peer protocol", "Connections start out choked and not interested.",
		"torrent pieces=4 have=xxxx\nconnect 1 20.0.0.1:6881 plain noext",
		[]string{"1 <- bitfield [11110000]"}, []string{"1 <- unchoke", "1 <- interested"}},
	{"3, peer protocol", "Clients drop the connection if they receive bitfields that are not of " +
		"the correct size.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\n1 bitfield xxxxxxxxx",
		[]string{"drop 1: protocol"}, nil},
	{"3, peer protocol", "Downloaders which don't have anything yet may skip the 'bitfield'.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext",
		nil, []string{"1 <- bitfield*"}},
	{"3, peer protocol", "Spare bits at the end are set to zero.",
		"torrent pieces=4 have=xxx.\nconnect 1 20.0.0.1:6881 plain noext",
		[]string{"1 <- bitfield [11100000]"}, nil},
	{"3, peer protocol", "Whenever a downloader would ask a peer for something, it expresses " +
		"interest, despite being choked.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\n1 have 2",
		[]string{"1 <- interested"}, []string{"1 <- request*"}},
	{"3, peer protocol", "Data transfer takes place whenever one side is interested and " +
		"the other " +
		"side is not choking.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\n1 have 2\n1 unchoke",
		[]string{"1 <- request 2.0", "1 <- request 2.1"}, nil},
	{"3, peer protocol", "A block that nobody asked for is not stored.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\n1 have 2\n1 block 2.0",
		[]string{"discard 2.0"}, []string{"store*"}},
	{"3, peer protocol", "Pieces are only announced once their hash is right.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\nconnect 2 20.0.1.1:6881 plain " +
			"noext\n" +
			"1 have 2\n1 unchoke\n1 block 2.0\n1 block 2.1",
		[]string{"store 2.1", "verify 2"}, []string{"*have*"}},
	{"3, peer protocol", "When a piece has the right hash, its peers are told by 'have'.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 plain noext\nconnect 2 20.0.1.1:6881 plain " +
			"noext\n" +
			"1 have 2\n1 unchoke\n1 block 2.0\n1 block 2.1\nverified 2",
		[]string{"1 <- have 2", "2 <- have 2"}, nil},
	{"3, peer protocol", "All current implementations close connections which request an amount " +
		"greater than 2^17; a choked peer is not served.",
		"torrent pieces=4 have=xxxx\nconnect 1 20.0.0.1:6881 plain noext\n1 request 0.0",
		nil, []string{"1 <- block*"}},
	{"3, peer protocol", "'cancel' takes back a request that still waits.",
		"torrent pieces=40 have=" + strings.Repeat("x", 40) +
			"\nconnect 1 20.0.0.1:6881\n1 have-none\n1 interested\n" + asking(9) + "1 cancel 4.0",
		[]string{"1 <- reject 4.0"}, []string{"1 <- block 4.0"}},
	{"3, peer protocol", "Whenever a downloader doesn't have something to ask for any more, it " +
		"expresses lack of interest.",
		"torrent pieces=2 have=x.\nconnect 1 20.0.0.1:6881 plain noext\n" +
			"connect 2 20.0.1.1:6881 plain noext\n1 have 1\n1 unchoke\n2 have 1\n1 block 1.0\n" +
			"1 block 1.1\nverified 1",
		[]string{"1 <- not interested", "2 <- not interested"}, nil},
	{"6, Have All/Have None", "They are sent in place of a bitfield, and only to who has the " +
		"extension.",
		"torrent pieces=4 have=xxxx\nconnect 1 20.0.0.1:6881 noext",
		[]string{"1 <- have all"}, []string{"1 <- bitfield*"}},
	{"6, Reject Request", "A peer that chokes rejects the requests that it drops: they are asked " +
		"of others.",
		"torrent pieces=1\nconnect 1 20.0.0.1:6881 noext\nconnect 2 20.0.1.1:6881 noext\n" +
			"1 have-all\n2 have-all\n1 unchoke\n2 unchoke\n1 choke\n1 reject 0.0\nafter 1s",
		[]string{"*2 <- request 0.0"}, nil},
	{"6, Reject Request", "Receiving a reject for a request never sent ends the connection, " +
		"but not " +
		"at the first one, which may have crossed ours.",
		"torrent pieces=1\nconnect 1 20.0.0.1:6881 noext\n1 have-all\n1 reject 0.1",
		nil, []string{"drop*"}},
	{"6, Allowed Fast", "If a piece is in the allowed set, it may be asked for while choked.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 noext\n1 have-all\n1 allowed 3",
		[]string{"1 <- request 3.0", "1 <- request 3.1"}, nil},
	{"6, Allowed Fast", "A piece that the sender does not have is no offer.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 noext\n1 have-none\n1 allowed 3",
		nil, []string{"1 <- request*"}},
	{"6, Suggest Piece", "The suggested piece is asked for first.",
		"torrent pieces=40 seed=3 requests=2\nconnect 1 20.0.0.1:6881 noext\n1 have-all\n1 " +
			"suggest 33\n" +
			"1 unchoke",
		[]string{"1 <- request 33.0"}, nil},
	{"9, metadata", "A peer without the metadata rejects requests for it.",
		"torrent magnet pieces=4\nconnect 1 20.0.0.1:6881\n1 extended size=1000\n1 metadata " +
			"request 0",
		[]string{"1 <- metadata reject 0 (0 bytes)"}, nil},
	{"9, metadata", "Who tells a size is asked for the pieces of it.",
		"torrent magnet pieces=4\nconnect 1 20.0.0.1:6881\n1 extended size=143",
		[]string{"1 <- metadata request 0*"}, nil},
	{"9, metadata", "metadata_size is absent before it is known.",
		"torrent magnet pieces=4\nconnect 1 20.0.0.1:6881",
		[]string{"1 <- extended metadata=0*"}, nil},
	{"10, handshake", "Only peers that set the bit get an extended handshake.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 noext",
		nil, []string{"1 <- extended*"}},
	{"10, handshake", "The handshake may be sent more than once.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881\n1 extended reqq=10\n1 extended reqq=20",
		nil, []string{"drop*"}},
	{"11, added", "Peers that are connected are told of each other.",
		"torrent pieces=4\nconnect 1 20.0.0.1:6881 out\n1 extended\nconnect 2 20.0.1.1:6881 out\n" +
			"2 extended\nafter 70s",
		[]string{"*1 <- pex +20.0.1.1:6881*"}, nil},
	{"21, upload_only", "A peer that is a partial seed wants nothing: we tell it so ourselves.",
		"torrent pieces=4 have=xxxx\nconnect 1 20.0.0.1:6881",
		[]string{"1 <- extended metadata=143 reqq=512 upload-only=true"}, nil},
	{"54, lt_donthave", "A piece that a peer has lost is not asked of it.",
		"torrent pieces=1\nconnect 1 20.0.0.1:6881\n1 extended\n1 have-all\n1 dont-have 0\n1 " +
			"unchoke",
		nil, []string{"1 <- request*"}},
}

// asking returns lines in which peer 1 asks for both blocks of each of n pieces.
func asking(n int) string {
	var b strings.Builder
	for i := range n {
		piece := string(rune('0' + i))
		b.WriteString("1 request " + piece + ".0\n1 request " + piece + ".1\n")
	}
	return b.String()
}

func TestSentences(t *testing.T) {
	for _, c := range sentences {
		s := &script{t: t}
		out := s.run(c.script)
		// The actions behind the last line of the script.
		lines := strings.Split(strings.TrimRight(out, "\n"), "\n")
		last := 0
		for i, line := range lines {
			if !strings.HasPrefix(line, "  ") {
				last = i
			}
		}
		got := lines[last+1:]
		for i := range got {
			got[i] = strings.TrimSpace(got[i])
		}
		at := 0
		for _, want := range c.does {
			i := slices.IndexFunc(got[at:], func(line string) bool { return matches(line, want) })
			if i < 0 {
				t.Errorf("BEP %s: %s\n%sdid not do %q, or not in this order", c.bep, c.says, out,
					want)
				break
			}
			at += i + 1
		}
		for _, never := range c.never {
			if slices.ContainsFunc(got, func(line string) bool { return matches(line, never) }) {
				t.Errorf("BEP %s: %s\n%sdid %q", c.bep, c.says, out, never)
			}
		}
	}
}

// matches reports whether a line is a pattern, in which a * at either end stands for
// anything.
func matches(line, pattern string) bool {
	front, back := strings.CutPrefix(pattern, "*")
	text, open := strings.CutSuffix(front, "*")
	switch {
	case back && open:
		return strings.Contains(line, text)
	case back:
		return strings.HasSuffix(line, text)
	case open:
		return strings.HasPrefix(line, text)
	}
	return line == text
}
