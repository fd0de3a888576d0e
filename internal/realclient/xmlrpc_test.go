//go:build linux

package realclient

import (
	"slices"
	"strings"
	"testing"
)

func TestEncodeXMLRPC(t *testing.T) {
	got := string(encodeXMLRPC("load.raw_start", []any{"a<b", []byte{0, 1, 2}}))
	for _, want := range []string{
		"<methodName>load.raw_start</methodName>",
		"<string>a&lt;b</string>",
		"<base64>AAEC</base64>",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want it to hold %s", got, want)
		}
	}
}

func TestDecodeXMLRPC(t *testing.T) {
	const array = `<?xml version="1.0"?><methodResponse><params><param><value><array><data>
<value><array><data><value><i8>1</i8></value><value><string>a&amp;b</string></value><value><string></string></value></data></array></value>
</data></array></value></param></params></methodResponse>`
	got, err := decodeXMLRPC([]byte(array))
	if want := []string{"1", "a&b", ""}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	const structure = `<methodResponse><params><param><value><struct><member><name>nodes</name><value><i8>3</i8></value></member>
<member><name>dht</name><value><string>on</string></value></member></struct></value></param></params></methodResponse>`
	got, err = decodeXMLRPC([]byte(structure))
	if want := []string{"nodes", "3", "dht", "on"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	const fault = `<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-506</int></value></member>
<member><name>faultString</name><value><string>Method not defined</string></value></member></struct></value></fault></methodResponse>`
	if _, err := decodeXMLRPC([]byte(fault)); err == nil ||
		!strings.Contains(err.Error(), "Method not defined") {
		t.Errorf("fault: got %v", err)
	}
	if _, err := decodeXMLRPC([]byte("<a><b></a>")); err == nil {
		t.Error("broken XML: got nil, want an error")
	}
}
