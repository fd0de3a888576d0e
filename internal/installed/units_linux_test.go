// Package installed looks at what is installed beside the binary: the units of systemd, the
// packages, the container, and the binaries of other systems. It holds tests only.
package installed

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
)

// root is the directory of the module as seen from here.
const root = "../.."

// exposureMax is what systemd-analyze may say of the unit of the system, out of 10. The rest is
// what a node needs: sockets of IPv4, IPv6 and netlink, and the files of the host.
const exposureMax = 1.5

// unit is a unit of systemd, and how systemd-analyze is asked about it.
type unit struct {
	file string
	args []string
}

var units = []unit{
	{"packaging/systemd/swarmnode.service", nil},
	{"packaging/systemd/user/swarmnode.service", []string{"--user"}},
}

// text reads a file of the module.
func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// systemd runs a program of systemd with a folder for its sockets, and returns all output.
func systemd(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), realclient.RequireProgram(t, name), args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+t.TempDir(), "SYSTEMD_COLORS=0", "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Errorf("%v: %v", cmd, err)
	}
	return out.String()
}

// systemd finds no fault in the units. The binary stands where this machine has it.
func TestUnitsAreSound(t *testing.T) {
	for _, u := range units {
		file := filepath.Join(t.TempDir(), filepath.Base(u.file))
		here := strings.Replace(text(t, u.file), "ExecStart=/usr/bin/swarmnode daemon",
			"ExecStart=/bin/true daemon", 1)
		if !strings.Contains(here, "/bin/true") {
			t.Fatalf("%s starts something else", u.file)
		}
		if err := os.WriteFile(file, []byte(here), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"verify", "--man=no"}, u.args...)
		if out := systemd(t, "systemd-analyze", append(args, file)...); out != "" {
			t.Errorf("%s: %s", u.file, out)
		}
	}
}

// The unit of the system takes from the service what it does not need.
func TestUnitIsHardened(t *testing.T) {
	file := filepath.Join(root, units[0].file)
	out := systemd(t, "systemd-analyze", "security", "--offline=true", "--no-pager", file)
	m := regexp.MustCompile(`Overall exposure level for swarmnode.service: ([0-9.]+)`).
		FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze says no level:\n%s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > exposureMax {
		t.Errorf("the level is %s, want at most %v:\n%s", m[1], exposureMax, out)
	}
}

// A service manager has the user of the service and its folder made.
func TestUserOfTheService(t *testing.T) {
	other := t.TempDir()
	for _, dir := range []string{"etc", "run", "usr/lib/sysusers.d", "usr/lib/tmpfiles.d"} {
		if err := os.MkdirAll(filepath.Join(other, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"sysusers", "tmpfiles"} {
		name := kind + ".d/swarmnode.conf"
		file := filepath.Join(other, "usr/lib", name)
		if err := os.WriteFile(file, []byte(text(t, "packaging/"+name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out := systemd(t, "systemd-sysusers", "--root="+other, "swarmnode.conf"); !strings.Contains(
		out, "swarmnode") {
		t.Errorf("systemd-sysusers says %q", out)
	}
	users, err := os.ReadFile(filepath.Join(other, "etc/passwd"))
	if err != nil || !strings.Contains(string(users), ":/var/lib/swarmnode:") {
		t.Errorf("/etc/passwd has %q, %v", users, err)
	}
	if os.Getuid() != 0 {
		return // only root gives folders to others
	}
	if out := systemd(t, "systemd-tmpfiles", "--create", "--root="+other,
		"swarmnode.conf"); out != "" {
		t.Errorf("systemd-tmpfiles says %q", out)
	}
	st, err := os.Stat(filepath.Join(other, "etc/swarmnode"))
	if err != nil || st.Mode().Perm() != 0o750 {
		t.Errorf("/etc/swarmnode: %v, %v", st, err)
	}
}

// The units mean the folders of which the program and the documents speak, and their memory
// leaves room above the program's own ceiling.
func TestUnitsAgree(t *testing.T) {
	for _, u := range units {
		unit := text(t, u.file)
		for _, line := range []string{"Type=notify", "WatchdogSec=60", "MemoryMax=1G",
			"ExecReload=/bin/kill -HUP $MAINPID", "RestartPreventExitStatus=3",
			"SuccessExitStatus=143", "ExecStart=/usr/bin/swarmnode daemon"} {
			if !strings.Contains(unit, "\n"+line+"\n") {
				t.Errorf("%s has no line %s", u.file, line)
			}
		}
	}
	system := text(t, units[0].file)
	for _, kind := range []string{"State", "Cache", "Runtime", "Configuration"} {
		if !strings.Contains(system, "\n"+kind+"Directory=swarmnode\n") {
			t.Errorf("the unit of the system has no %sDirectory", kind)
		}
	}
}
