package portmap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The state machine of a gateway is told what time it is, and has no sockets, goroutines or
// locks.
func TestGatewayIsPure(t *testing.T) {
	files, err := filepath.Glob("gateway*.go")
	if err != nil || len(files) < 6 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range append(files, "epoch.go", "pcp.go", "natpmp.go", "ssdp.go", "soap.go",
		"xml.go", "description.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if slices.Contains([]string{`"net"`, `"net/http"`, `"sync"`, `"context"`, `"os"`,
				`"swarmnode/swarm/egress"`}, line) || strings.HasPrefix(line, "go ") ||
				strings.Contains(line, "time.Now(") || strings.Contains(line, "time.Since(") {
				t.Errorf("%s: %s", name, line)
			}
		}
	}
}
