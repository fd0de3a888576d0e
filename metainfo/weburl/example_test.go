package weburl_test

import (
	"fmt"

	"swarmnode/metainfo/weburl"
)

// Clean escapes what a URL cannot contain, and leaves what is escaped already.
func ExampleClean() {
	for _, raw := range []string{
		" https://example.com/My Song.mp3 ",
		"http://example.com/100%/caf\u00e9?q=a%20b",
		"example.com/file",
		"http://exa mple.com/",
	} {
		url, err := weburl.Clean(raw)
		if err != nil {
			fmt.Println("error:", err)
			continue
		}
		fmt.Println(url)
	}
	// Output:
	// https://example.com/My%20Song.mp3
	// http://example.com/100%25/caf%C3%A9?q=a%20b
	// error: not a URL: it does not begin with a scheme such as https://
	// error: the URL has no valid host
}

// Resolve follows the Location of a redirect.
func ExampleResolve() {
	base, err := weburl.Parse("https://example.com/files/a.iso")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, location := range []string{"../mirror/a b.iso", "//other.example/a.iso"} {
		url, err := weburl.Resolve(base, location)
		fmt.Println(url, err)
	}
	// Output:
	// https://example.com/mirror/a%20b.iso <nil>
	// https://other.example/a.iso <nil>
}

// Scheme tells relative references from absolute ones.
func ExampleScheme() {
	fmt.Printf("%q %q\n", weburl.Scheme("HTTPS://example.com/"), weburl.Scheme("a/b:c"))
	// Output:
	// "https" ""
}
