package api

import (
	"errors"
	"net/http"
	"strconv"

	"rsc.io/qr"

	"swarmnode/metainfo"
)

const (
	// qrBytesMax is the longest text that a QR code holds, with the least correction of errors.
	qrBytesMax = 2953
	// qrEasy is the longest text for which errors are corrected better: the code is still small
	// enough for a camera.
	qrEasy = 600
	// qrQuiet is the width of the white frame, in modules, that readers want.
	qrQuiet = 4
)

// errLong says that a link does not fit into a QR code.
var errLong = errors.New("the magnet link is too long for a QR code")

// qr draws the magnet link as a QR code.
func (c *call) qr() error {
	t, err := c.torrent()
	if err != nil {
		return err
	}
	text, err := qrText(t.Magnet())
	if err != nil {
		return problemf(http.StatusUnprocessableEntity, "%v", err)
	}
	picture, err := qrPicture(text)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", svgType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	c.w.WriteHeader(http.StatusOK)
	c.w.Write(picture)
	return nil
}

// svgType is the content type of pictures.
const svgType = "image/svg+xml"

// qrText returns a magnet link that fits into a QR code. It leaves out what others find without:
// web seeds first, then trackers, then the name. A long link gets a code that cameras read
// badly, but it is whole.
func qrText(m metainfo.Magnet) (string, error) {
	for _, less := range []func(){func() {}, func() { m.WebSeeds = nil },
		func() { m.Trackers = nil }, func() { m.Name = "" }} {
		less()
		if text := m.String(); len(text) <= qrBytesMax {
			return text, nil
		}
	}
	return "", errLong
}

// qrPicture draws a QR code of a text as SVG: one path, with a row of dark modules as one
// stroke.
func qrPicture(text string) ([]byte, error) {
	level := qr.L
	if len(text) <= qrEasy {
		level = qr.M
	}
	code, err := qr.Encode(text, level)
	if err != nil {
		return nil, err
	}
	side := code.Size + 2*qrQuiet
	b := []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `)
	b = strconv.AppendInt(b, int64(side), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(side), 10)
	b = append(b, `" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h`...)
	b = strconv.AppendInt(b, int64(side), 10)
	b = append(b, 'v')
	b = strconv.AppendInt(b, int64(side), 10)
	b = append(b, `H0z"/><path stroke="#000" d="`...)
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			end := x
			for end < code.Size && code.Black(end, y) {
				end++
			}
			if end == x {
				continue
			}
			b = append(b, 'M')
			b = strconv.AppendInt(b, int64(x+qrQuiet), 10)
			b = append(b, ' ')
			b = strconv.AppendInt(b, int64(y+qrQuiet), 10)
			b = append(b, ".5h"...)
			b = strconv.AppendInt(b, int64(end-x), 10)
			x = end
		}
	}
	return append(b, `"/></svg>`...), nil
}
