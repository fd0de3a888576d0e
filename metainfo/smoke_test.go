package metainfo

import (
	"crypto/sha1"
	"testing"
)

func TestSmoke(t *testing.T) {
	data := []byte("hello world")
	sum := sha1.Sum(data)
	raw := []byte("d6:lengthi11e4:name1:x12:piece lengthi16384e6:pieces20:" + string(sum[:]) + "e")
	info, err := ParseInfo(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !info.Layout().VerifyPiece(0, data) || info.Layout().VerifyPiece(0, data[1:]) {
		t.Error("verify")
	}
	m, err := ParseMagnet("magnet:?xt=urn:btih:" + info.Hash().String() + "&dn=a%20b")
	if err != nil || m.Hash() != info.Hash() || m.Name != "a b" {
		t.Error(m, err)
	}
}
