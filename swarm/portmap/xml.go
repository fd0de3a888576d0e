package portmap

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// bodyBytesMax bounds a document of a router.
	bodyBytesMax = 256 << 10
	// depthMax bounds how deep its elements are nested. The description of a gateway has
	// eight levels.
	depthMax = 32
	// textBytesMax bounds the text of one element that is used.
	textBytesMax = 1024
)

// errDepth is the error of a document whose elements are nested too deep.
var errDepth = errors.New("elements are nested too deep")

// walk calls end for each element of a document, at its end, with its name without a prefix
// and the text that it has itself. Entities that the document defines are not expanded.
// Letters beyond ASCII come out wrong, whatever the encoding: no name or number that is used
// has any.
func walk(body []byte, end func(name, text string)) error {
	d := xml.NewDecoder(bytes.NewReader(ascii(body)))
	d.Strict = false // many routers leave & unescaped
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	var texts []string // of the open elements
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) && len(texts) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading XML: %w", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			if len(texts) >= depthMax {
				return errDepth
			}
			texts = append(texts, "")
		case xml.CharData:
			if n := len(texts); n > 0 {
				text := texts[n-1] + string(token[:min(len(token), textBytesMax)])
				texts[n-1] = text[:min(len(text), textBytesMax)]
			}
		case xml.EndElement:
			n := len(texts)
			if n == 0 {
				return fmt.Errorf("reading XML: %w", errMessage)
			}
			end(token.Name.Local, strings.TrimSpace(texts[n-1]))
			texts = texts[:n-1]
		}
	}
}

// ascii returns a document with a question mark in place of each byte beyond ASCII, so that
// no encoding is wrong.
func ascii(body []byte) []byte {
	plain := bytes.Clone(body)
	for i, c := range plain {
		if c >= 0x80 {
			plain[i] = '?'
		}
	}
	return plain
}
