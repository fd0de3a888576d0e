//go:build linux

package realclient

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// encodeXMLRPC writes a call whose parameters are strings or, as base64, byte
// slices.
func encodeXMLRPC(method string, params []any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header + "<methodCall><methodName>")
	_ = xml.EscapeText(&b, []byte(method)) // a bytes.Buffer does not fail
	b.WriteString("</methodName><params>")
	for _, p := range params {
		switch v := p.(type) {
		case []byte:
			b.WriteString("<param><value><base64>" + base64.StdEncoding.EncodeToString(v) +
				"</base64></value></param>")
		default:
			b.WriteString("<param><value><string>")
			_ = xml.EscapeText(&b, fmt.Append(nil, v))
			b.WriteString("</string></value></param>")
		}
	}
	b.WriteString("</params></methodCall>")
	return b.Bytes()
}

// decodeXMLRPC returns the scalar values of an answer in the order in which
// they stand there, whatever arrays they are nested in; those of a structure
// each after its name. A fault is an error.
func decodeXMLRPC(answer []byte) ([]string, error) {
	var (
		values []string
		text   strings.Builder
		fault  bool
		scalar bool // inside a leaf element
	)
	for dec := xml.NewDecoder(bytes.NewReader(answer)); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parsing answer: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			fault = fault || t.Name.Local == "fault"
			switch t.Name.Local {
			case "string", "i4", "i8", "int", "boolean", "double", "name":
				scalar = true
				text.Reset()
			}
		case xml.CharData:
			if scalar {
				text.Write(t)
			}
		case xml.EndElement:
			if scalar {
				values = append(values, text.String())
				scalar = false
			}
		}
	}
	if fault {
		return nil, errors.New(strings.Join(values, ": "))
	}
	return values, nil
}
