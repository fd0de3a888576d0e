//go:build linux

package realclient

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"swarmnode/internal/proc"
)

const (
	// inNamespace is set in the environment of a test that runs in one.
	inNamespace = "SWARM_TEST_NAMESPACE"
	// requireClients makes absent clients a failure.
	requireClients = "SWARM_REQUIRE_CLIENTS"
	// childMargin is how long before its own deadline a test gives up on the child that
	// it runs in a namespace, so that the child's output is shown.
	childMargin = 5 * time.Second
	// parallelTests is how many parallel subtests run at once inside: more
	// than there are processors, since they wait for clients most of the time.
	parallelTests = 32
)

// unshareArgs are the arguments of unshare(1) for a network, a set of mounts
// and a process tree of our own. All of it vanishes with the process. Someone
// other than root needs a user namespace around it.
func unshareArgs() []string {
	args := []string{"--net", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"}
	if os.Getuid() != 0 {
		args = append(args, "--user", "--map-root-user")
	}
	return args
}

// namespaceSetup gives lo its addresses: with the prefix on lo every address
// of 10.0.0.0/8 is local. Clients that ignore loopback peers accept those. The
// addresses of 11.0.0.0/8 count as public: libtorrent caps nobody on a local one.
const namespaceSetup = `ip link set lo up && ip link set lo multicast on && ip addr add 10.0.0.1/8 dev lo && ip addr add 11.0.0.1/8 dev lo && exec "$@"`

// namespaceWorks returns, checking only once, why no namespace can be made.
var namespaceWorks = sync.OnceValue(func() error {
	for _, tool := range []string{"unshare", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			return err
		}
	}
	args := append(unshareArgs(), "sh", "-c", namespaceSetup, "sh", "true")
	out, err := exec.Command("unshare", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
})

// StartInNamespace starts a program inside a network namespace of its own, in
// which every 10.x.x.x and 11.x.x.x address is local, no port is taken and nothing else can
// be reached. All that it starts ends with it, and it ends with the calling
// process. cfg.Path is a path, not /proc/self/exe, since a shell stands between.
// The error says why no namespace can be made.
func StartInNamespace(cfg proc.Config) (*proc.Process, error) {
	if err := namespaceWorks(); err != nil {
		return nil, fmt.Errorf("no network namespace can be made: %w", err)
	}
	cfg.Args = slices.Concat(unshareArgs(), []string{"sh", "-c", namespaceSetup, "sh", cfg.Path},
		cfg.Args)
	cfg.Path = "unshare"
	// The last of equal names counts.
	cfg.Env = append([]string{inNamespace + "=program"}, cfg.Env...)
	return proc.Start(cfg)
}

// Inside reports whether this process runs in such a namespace.
func Inside() bool { return os.Getenv(inNamespace) != "" }

// InNamespace runs the calling top-level test again inside a network namespace
// of its own, in which every 10.x.x.x and 11.x.x.x address is local and no port is taken,
// and reports its outcome as that of t. It returns true inside and false
// outside, where the test must return at once:
//
//	func TestX(t *testing.T) {
//		if !realclient.InNamespace(t) {
//			return
//		}
//
// A part of it that fails beside a foreign program is run once more, alone: see repeat.
// env is added to the environment inside, to hand over what was prepared outside. Where
// no namespace can be made, the test is skipped with the reason, or fails if clients are
// required.
func InNamespace(t *testing.T, env ...string) bool {
	t.Helper()
	if os.Getenv(inNamespace) == t.Name() {
		return true
	}
	repeat(t, env)
	return false
}

// hostsMu guards /etc/hosts inside a namespace.
var hostsMu sync.Mutex

// addHost makes a host name resolve to an address, inside a namespace only:
// its own copy of /etc/hosts is mounted over that of the machine.
func addHost(ip netip.Addr, name string) error {
	if !Inside() {
		return fmt.Errorf("%w: a private bootstrap node outside a namespace", ErrUnsupported)
	}
	hostsMu.Lock()
	defer hostsMu.Unlock()
	const hosts = "/etc/hosts"
	old, err := os.ReadFile(hosts)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	line := fmt.Sprintf("%v %s\n", ip, name)
	if strings.Contains(string(old), line) {
		return nil
	}
	dir, err := os.MkdirTemp("", "hosts")
	if err != nil {
		return err
	}
	// Once mounted the file lives on without its directory entry.
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "hosts")
	if err := os.WriteFile(file, []byte(line+string(old)), 0o644); err != nil {
		return err
	}
	if err := syscall.Mount(file, hosts, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s: %w", hosts, err)
	}
	return nil
}
