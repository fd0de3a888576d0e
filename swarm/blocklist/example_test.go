package blocklist_test

import (
	"fmt"
	"net/netip"
	"strings"

	"swarmnode/swarm/blocklist"
)

func ExampleParse() {
	list, report, err := blocklist.Parse(strings.NewReader(
		"Some Corp:192.0.2.0-192.0.2.255\n" + // P2P
			"198.51.100.000 - 198.51.100.255 , 100 , Other Corp\n" + // DAT
			"2001:db8::/32 # CIDR\n"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(list.Len(), "ranges,", report.Skipped, "lines not understood")
	fmt.Println(list.Contains(netip.MustParseAddr("192.0.2.7")))
	fmt.Println(list.Contains(netip.MustParseAddr("203.0.113.7")))
	// Output:
	// 3 ranges, 0 lines not understood
	// true
	// false
}
