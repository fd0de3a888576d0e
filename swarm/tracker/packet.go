package tracker

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"

	"swarmnode/metainfo"
)

// The packets of BEP 15. All numbers are big-endian.
const (
	protocolID = 0x41727101980 // starts a connect request

	actionConnect  = 0
	actionAnnounce = 1
	actionScrape   = 2
	actionError    = 3

	connectSize        = 16 // of a request, and of its answer
	announceSize       = 98 // of a request, without the options of BEP 41
	announceAnswerSize = 20 // without the peers
	scrapeSize         = 16 // of a request, without the hashes
	scrapeAnswerSize   = 8  // without the counts
	countsSize         = 12
	headerSize         = 8 // of every answer: action and transaction id
	hashSize           = len(metainfo.Hash{})

	// packetMax is the longest datagram that is read, in bytes: more than fits an
	// unfragmented packet on Ethernet.
	packetMax = 4096
)

// The options of BEP 41 that may follow an announce.
const (
	optionEnd  = 0
	optionNop  = 1
	optionPath = 2

	optionBytesMax = 255     // of one option
	pathBytesMax   = 3 * 255 // of a whole path: a datagram must not be fragmented
)

func appendConnect(dst []byte, transaction uint32) []byte {
	dst = binary.BigEndian.AppendUint64(dst, protocolID)
	dst = binary.BigEndian.AppendUint32(dst, actionConnect)
	return binary.BigEndian.AppendUint32(dst, transaction)
}

// appendAnnounce appends an announce request, with the path and query of the
// tracker's URL (BEP 41) unless they are empty.
func appendAnnounce(dst []byte, connection uint64, transaction uint32, r *Request,
	path string) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, connection)
	dst = be.AppendUint32(dst, actionAnnounce)
	dst = be.AppendUint32(dst, transaction)
	dst = append(dst, r.InfoHash[:]...)
	dst = append(dst, r.PeerID[:]...)
	dst = be.AppendUint64(dst, uint64(r.Downloaded))
	dst = be.AppendUint64(dst, uint64(r.Left))
	dst = be.AppendUint64(dst, uint64(r.Uploaded))
	event := r.Event
	if event > Stopped {
		event = None
	}
	dst = be.AppendUint32(dst, uint32(event))
	dst = be.AppendUint32(dst, 0) // our address: the sender's
	dst = be.AppendUint32(dst, r.Key)
	dst = be.AppendUint32(dst, uint32(int32(max(-1, min(r.Want, PeersMax)))))
	dst = be.AppendUint16(dst, r.Port)
	if len(path) > pathBytesMax {
		return dst
	}
	for len(path) > 0 {
		n := min(len(path), optionBytesMax)
		dst = append(dst, optionPath, byte(n))
		dst = append(dst, path[:n]...)
		if path = path[n:]; path == "" {
			dst = append(dst, optionEnd)
		}
	}
	return dst
}

// urlData returns the part of a tracker's URL that BEP 41 sends: path and query.
func urlData(u *url.URL) string {
	if s := u.RequestURI(); s != "/" {
		return s
	}
	return ""
}

func appendScrape(dst []byte, connection uint64, transaction uint32,
	hashes []metainfo.Hash) []byte {
	be := binary.BigEndian
	dst = be.AppendUint64(dst, connection)
	dst = be.AppendUint32(dst, actionScrape)
	dst = be.AppendUint32(dst, transaction)
	for i := range hashes {
		dst = append(dst, hashes[i][:]...)
	}
	return dst
}

// parseHeader reads the header of an answer. It reports false if b is too short.
func parseHeader(b []byte) (action, transaction uint32, ok bool) {
	if len(b) < headerSize {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:]), true
}

// parseAnswer checks that an answer has the wanted action and at least size bytes.
// The error is a *Failure if the tracker refuses.
func parseAnswer(b []byte, want uint32, size int) error {
	action, _, ok := parseHeader(b)
	switch {
	case !ok:
		return fmt.Errorf("%w: %d bytes", ErrAnswer, len(b))
	case action == actionError:
		return &Failure{Reason: text(b[headerSize:])}
	case action != want:
		return fmt.Errorf("%w: action %d instead of %d", ErrAnswer, action, want)
	case len(b) < size:
		return fmt.Errorf("%w: %d bytes", ErrAnswer, len(b))
	}
	return nil
}

func parseConnect(b []byte) (connection uint64, err error) {
	if err := parseAnswer(b, actionConnect, connectSize); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[headerSize:]), nil
}

// parseAnnounceUDP reads the answer to an announce. The peers are of the family
// of the tracker's address (BEP 15, "IPv6").
func parseAnnounceUDP(b []byte, tracker netip.Addr) (Response, error) {
	if err := parseAnswer(b, actionAnnounce, announceAnswerSize); err != nil {
		return Response{}, err
	}
	be := binary.BigEndian
	size := compact6
	if tracker.Unmap().Is4() {
		size = compact4
	}
	return Response{
		Interval:  seconds(int64(int32(be.Uint32(b[8:])))),
		Leeches:   count(int64(int32(be.Uint32(b[12:]))), true),
		Seeds:     count(int64(int32(be.Uint32(b[16:]))), true),
		Completed: -1, // BEP 15 has no field for it
		Peers:     parseCompact(nil, b[announceAnswerSize:], size),
	}, nil
}

func parseScrapeUDP(b []byte, n int) ([]Counts, error) {
	if err := parseAnswer(b, actionScrape, scrapeAnswerSize+n*countsSize); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	counts := make([]Counts, n)
	for i, b := 0, b[scrapeAnswerSize:]; i < n; i, b = i+1, b[countsSize:] {
		counts[i] = Counts{
			Seeds:     count(int64(int32(be.Uint32(b))), true),
			Completed: count(int64(int32(be.Uint32(b[4:]))), true),
			Leeches:   count(int64(int32(be.Uint32(b[8:]))), true),
		}
	}
	return counts, nil
}
