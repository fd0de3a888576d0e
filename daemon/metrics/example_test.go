package metrics_test

import (
	"log"
	"os"

	"swarmnode/daemon/metrics"
)

// Metrics with one name share its meaning.
func ExampleWrite() {
	err := metrics.Write(os.Stdout, []metrics.Metric{
		{Name: "peers", Help: "Connections.", Value: 3, Label: metrics.Label("over", "tcp")},
		{Name: "peers", Value: 4, Label: metrics.Label("over", "utp")},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// # HELP peers Connections.
	// # TYPE peers gauge
	// peers{over="tcp"} 3
	// peers{over="utp"} 4
}
