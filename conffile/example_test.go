package conffile_test

import (
	"fmt"
	"log"

	"swarmnode/conffile"
)

// A key is changed, and the rest of the file stays as its user wrote it.
func Example() {
	f, err := conffile.Parse("config.toml",
		[]byte("# home\nport = 6881\n\n[seed]\nup = \"1M\" # slow\n"))
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Set("seed", "up", conffile.Text("2M")); err != nil {
		log.Fatal(err)
	}
	for _, e := range f.Entries() {
		fmt.Printf("line %d: %s %s is %s\n", e.Line, e.Table, e.Key, e.Value)
	}
	fmt.Printf("%s", f.Bytes())

	_, err = conffile.Parse("config.toml", []byte("port = 6881\nport = 6882\n"))
	fmt.Println(err)
	// Output:
	// line 2:  port is 6881
	// line 5: seed up is "2M"
	// # home
	// port = 6881
	//
	// [seed]
	// up = "2M" # slow
	// config.toml:2: port is in line 1 already
}
