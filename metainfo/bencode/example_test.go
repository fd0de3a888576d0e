package bencode_test

import (
	"fmt"

	"swarmnode/metainfo/bencode"
)

// A Reader walks over a document without copying it. Values that the loop does not read
// are skipped.
func ExampleReader() {
	doc := []byte("d8:announce15:http://t.test/a4:infod6:lengthi5e4:name1:xe5:nodesli1ei2eee")
	r := bencode.NewReader(doc, bencode.Limits{})
	for key := range r.Dict() {
		switch string(key) {
		case "announce":
			fmt.Printf("announce %s\n", r.Bytes())
		case "info":
			fmt.Printf("info %s\n", r.Raw())
		}
	}
	if err := r.Close(); err != nil {
		fmt.Println(err)
	}
	// Output:
	// announce http://t.test/a
	// info d6:lengthi5e4:name1:xe
}

// The first error sticks: it says where the document is wrong.
func ExampleReader_Err() {
	for _, doc := range []string{"d1:ai1e1:ai2ee", "i007e", "d3:key", "lllleeee"} {
		r := bencode.NewReader([]byte(doc), bencode.Limits{DepthMax: 3})
		r.Skip()
		fmt.Println(r.Err())
	}
	// Output:
	// bencode: offset 7: dictionary holds a key twice
	// bencode: offset 0: integer is not canonical or does not fit 64 bits
	// bencode: offset 6: expected a value
	// bencode: limit exceeded: deeper than 3
}

// A lenient Reader takes what trackers and peers really send.
func ExampleNewLenient() {
	r := bencode.NewLenient([]byte("\r\nd8:intervali01800e5:peers3:404e"), bencode.Limits{})
	for key := range r.Dict() {
		n, ok := r.TryNumber()
		fmt.Println(string(key), n, ok)
	}
	fmt.Println(r.Err())
	// Output:
	// interval 1800 true
	// peers 404 true
	// <nil>
}

// Documents are written by appending.
func ExampleAppendDict() {
	doc := bencode.AppendDict(nil, func(b []byte) []byte {
		b = bencode.AppendInt(bencode.AppendString(b, "length"), 5)
		b = bencode.AppendString(b, "path")
		return bencode.AppendList(b, func(b []byte) []byte {
			return bencode.AppendString(bencode.AppendString(b, "folder"), "file")
		})
	})
	fmt.Printf("%s\n", doc)
	// Output:
	// d6:lengthi5e4:pathl6:folder4:fileee
}
