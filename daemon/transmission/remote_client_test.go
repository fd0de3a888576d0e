//go:build linux

package transmission

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"swarmnode/daemon"
	"swarmnode/daemon/control"
	"swarmnode/internal/realclient"
)

// remote runs transmission-remote and returns what it says. Errors are in its words.
func (b *bench) remote(args ...string) string {
	b.t.Helper()
	host := strings.TrimPrefix(b.server.URL, "http://")
	cmd := exec.CommandContext(b.t.Context(), "transmission-remote", append([]string{host},
		args...)...)
	cmd.Env = append(os.Environ(), "TR_AUTH=me:right", "HOME="+b.t.TempDir())
	out, err := cmd.CombinedOutput()
	refused := regexp.MustCompile(`Error:|Unexpected response: 401|SSL connect error`)
	if err != nil && !refused.Match(out) {
		b.t.Errorf("transmission-remote %q: %v: %s", args, err, out)
	}
	return string(out)
}

// takePort listens on a port.
func takePort(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return l, port
}

// transmission-remote 3.00 logs in by each of its ways. The daemon has no TLS, which is said by
// what the program shows for --ssl.
func TestTransmissionRemoteLogsIn(t *testing.T) {
	realclient.RequireProgram(t, "transmission-remote")
	passwords := filepath.Join(t.TempDir(), "passwords")
	hash, err := control.HashPassword("right")
	if err == nil {
		err = control.SetPassword(passwords, control.Entry{Name: "me", Scope: control.Admin,
			Hash: hash})
	}
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, func(_ *daemon.Config, c *Config) {
		if c.Gate, err = control.NewGate(control.GateConfig{Passwords: passwords}); err != nil {
			t.Fatal(err)
		}
	})
	netrc := filepath.Join(t.TempDir(), "netrc")
	err = os.WriteFile(netrc, []byte("machine 127.0.0.1 login me password right\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	const yes, no = "Daemon version: 4.1.0", "401"
	for args, want := range map[string]string{
		"-n me:right -si": yes, "-ne -si": yes, "-N " + netrc + " -si": yes,
		"-si": no, "-n me:wrong -si": no, "-n other:right -si": no,
		"--ssl -n me:right -si": "SSL connect error",
	} {
		if said := b.remote(strings.Fields(args)...); !strings.Contains(said, want) ||
			want != yes && strings.Contains(said, yes) {
			t.Errorf("transmission-remote %s: %s, want %s", args, said, want)
		}
	}
}

// Every option of transmission-remote 3.00 does what its manual says. Each line has the
// arguments, what the program says, and a field of the first torrent or a setting with its
// value afterwards.
func TestTransmissionRemote(t *testing.T) {
	realclient.RequireProgram(t, "transmission-remote")
	from, torrent := makeTorrent(t, "content", 40_000, 20_000, 1000)
	torrent.Trackers = [][]string{{"http://127.0.0.1:1/announce"}}
	closed := make(chan struct{})
	b := newBench(t, func(_ *daemon.Config, c *Config) { c.Shutdown = func() { close(closed) } })
	if err := os.CopyFS(b.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(b.dir, "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(b.dir, "moved")
	held, taken := takePort(t)
	other, free := takePort(t)
	other.Close()
	defer held.Close()
	const ok = `responded: "success"`
	for _, step := range []struct{ args, says, field, value string }{
		{"--add " + file, ok, "name", "content"},
		{"-t 1 -S", ok, "status", "0"}, {"-t 1 -s", ok, "status", "6"},
		{"-l", "content", "", ""}, {"-t all -l", "Sum:", "", ""},
		{"-t 1 -i", "Percent Done: 100%", "", ""}, {"-t 1 -f", "content/file1.mkv", "", ""},
		{"-t 1 -if", "3 files", "", ""}, {"-t 1 -ip", "Address", "", ""},
		{"-t 1 -ic", "111", "", ""}, {"-t 1 -it", "http://127.0.0.1:1", "", ""},
		{"-si", "Daemon version: 4.1.0 (swarmnode", "", ""},
		{"-st", "CURRENT SESSION", "", ""},
		{"-t 1 -G 1", ok, "wanted", "[1 0 1]"}, {"-t 1 -g all", ok, "wanted", "[1 1 1]"},
		{"-t 1 -ph 0", ok, "priorities", "[1 0 0]"}, {"-t 1 -pl 2", ok, "priorities", "[1 0 -1]"},
		{"-t 1 -pn all", ok, "priorities", "[0 0 0]"},
		{"-t 1 -L a,b", ok, "labels", "[a b]"},
		{"-t 1 -d 50", ok, "downloadLimit", "50"}, {"-t 1 -D", ok, "downloadLimited", "false"},
		{"-t 1 -u 60", ok, "uploadLimit", "60"}, {"-t 1 -U", ok, "uploadLimited", "false"},
		{"-t 1 -pr 20", ok, "peer-limit", "20"},
		{"-t 1 -sr 2.5", ok, "seedRatioLimit", "2.5"}, {"-t 1 -SR", ok, "seedRatioMode", "2"},
		{"-t 1 -srd", ok, "seedRatioMode", "0"},
		{"-t 1 -Bh", ok, "bandwidthPriority", "1"}, {"-t 1 -Bn", ok, "bandwidthPriority", "0"},
		{"-t 1 -Bl", ok, "bandwidthPriority", "-1"},
		{"-t 1 -HL", ok, "honorsSessionLimits", "false"},
		{"-t 1 -hl", ok, "honorsSessionLimits", "true"},
		{"-t 1 -td http://127.0.0.1:2/announce", ok, "trackers", ""},
		{"-t 1 -tr 0", ok, "trackers", ""},
		{"-t 1 --reannounce", ok, "", ""}, {"-t 1 -v", ok, "leftUntilDone", "0"},
		{"-t 1 --move " + moved, ok, "downloadDir", moved},
		{"-t 1 --find " + b.dir, ok, "downloadDir", b.dir},
		{"-t 1 --find relative", "not absolute", "", ""},

		{"-d 500", ok, "*speed-limit-down", "500"},
		{"-D", ok, "*speed-limit-down-enabled", "false"},
		{"-u 300", ok, "*speed-limit-up", "300"}, {"-U", ok, "*speed-limit-up-enabled", "false"},
		{"-as", ok, "*alt-speed-enabled", "true"}, {"-AS", ok, "*alt-speed-enabled", "false"},
		{"-asd 10", ok, "*alt-speed-down", "10"}, {"-asu 11", ok, "*alt-speed-up", "11"},
		{"--alt-speed-time-begin 0100", ok, "*alt-speed-time-begin", "60"},
		{"--alt-speed-time-end 0230", ok, "*alt-speed-time-end", "150"},
		{"--alt-speed-days 1-3", ok, "*alt-speed-time-day", "14"},
		{"-asc", ok, "*alt-speed-time-enabled", "true"},
		{"-ASC", ok, "*alt-speed-time-enabled", "false"},
		{"-pr 100", ok, "*peer-limit-global", "100"},
		{"-gsr 2", ok, "*seedRatioLimit", "2"}, {"-GSR", ok, "*seedRatioLimited", "false"},
		{"-c " + moved, ok, "*incomplete-dir", moved},
		{"-C", ok, "*incomplete-dir-enabled", "false"},
		{"-w " + b.dir, ok, "*download-dir", b.dir},
		{"-w /etc", "outside of the allowed folders", "*download-dir", b.dir},
		{"-e 8", ok, "*cache-size-mb", "8"}, {"-x", ok, "*pex-enabled", "true"},
		{"-X", ok, "*pex-enabled", "false"}, {"-o", ok, "*dht-enabled", "true"},
		{"-O", ok, "*dht-enabled", "false"}, {"-y", ok, "*lpd-enabled", "true"},
		{"-Y", ok, "*lpd-enabled", "false"},
		{"--trash-torrent", ok, "*trash-original-torrent-files", "true"},
		{"--no-trash-torrent", ok, "*trash-original-torrent-files", "false"},
		{"--start-paused", ok, "*start-added-torrents", "false"},
		{"--no-start-paused", ok, "*start-added-torrents", "true"},
		{"-er", ok, "*encryption", "tolerated"}, {"-ep", ok, "", ""}, {"-et", ok, "", ""},
		{"-m", ok, "", ""},
		{"-M", ok, "*port-forwarding-enabled", "false"},
		{"-p " + free, ok, "*peer-port", free}, {"-p " + taken, "in use", "*peer-port", free},
		{"-P", ok, "*peer-port", free}, {"--utp", ok, "*utp-enabled", "true"},
		{"--no-utp", ok, "*utp-enabled", "true"},
		{"--torrent-done-script /bin/true", ok, "*script-torrent-done-filename", ""},
		{"--no-torrent-done-script", ok, "", ""}, {"-pt", "Port is open: No", "", ""},
		{"--blocklist-update", ok, "*blocklist-size", "0"},
		{"-t all -S", ok, "status", "0"}, {"-t active -l", "Sum:", "", ""},
		{"-t 1 -r", ok, "", ""}, {"--exit", ok, "", ""},
	} {
		said := b.remote(strings.Fields(step.args)...)
		if !strings.Contains(said, step.says) {
			t.Errorf("transmission-remote %s: %s, want %s", step.args, said, step.says)
		}
		switch setting, isSetting := strings.CutPrefix(step.field, "*"); {
		case step.value == "" && !isSetting:
		case isSetting:
			if got := b.session(setting); got != step.value {
				t.Errorf("transmission-remote %s: %s is %s, want %s", step.args, setting, got,
					step.value)
			}
		default:
			b.want(1, step.field, step.value)
		}
	}
	if n := len(b.daemon.Torrents()); n != 0 {
		t.Errorf("%d torrents are left", n)
	}
	<-closed
}

// pythonClient is a program with the library python3-transmissionrpc of Debian.
const pythonClient = `
import sys, time, transmissionrpc
c = transmissionrpc.Client("127.0.0.1", port=int(sys.argv[1]))
t = c.add_torrent("file://" + sys.argv[2])
t = c.get_torrent(t.id)
print(t.name, t.status, len(t.files()), t.progress)
c.stop_torrent(t.id)
for i in range(600): # it is being checked for a moment
    if c.get_torrent(t.id).status == "stopped": break
    time.sleep(0.1)
print(c.get_torrent(t.id).status)
c.change_torrent(t.id, uploadLimited=True, uploadLimit=10)
print(c.get_torrent(t.id).uploadLimit)
c.set_files({t.id: {0: {"selected": False}, 1: {"priority": "high"}}})
print([(f["selected"], f["priority"]) for f in c.get_files(t.id)[t.id].values()])
c.queue_top(t.id); c.verify_torrent(t.id); c.reannounce_torrent(t.id)
c.rename_torrent_path(t.id, "content", "renamed")
print(c.get_torrent(t.id).name, c.free_space(sys.argv[3]) > 0)
c.set_session(speed_limit_down=100); print(c.get_session().speed_limit_down)
print(c.session_stats().torrentCount, len(c.get_torrents()))
c.remove_torrent(t.id); print(len(c.get_torrents()))
`

// python3-transmissionrpc, a library that scripts use, works with the daemon.
func TestPythonClient(t *testing.T) {
	python := realclient.RequireProgram(t, "/usr/bin/python3")
	if exec.Command(python, "-c", "import transmissionrpc").Run() != nil {
		realclient.RequireProgram(t, "python3-transmissionrpc") // which skips the test
	}
	b := newBench(t)
	from, torrent := makeTorrent(t, "content", 40_000, 20_000)
	os.CopyFS(b.dir, os.DirFS(from))
	file := filepath.Join(b.dir, "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	port := b.server.URL[strings.LastIndexByte(b.server.URL, ':')+1:]
	out, err := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", pythonClient, port,
		file, b.dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	want := []string{"", "stopped", "10", "[(False, 'normal'), (False, 'high')]", "renamed True",
		"100", "1 1", "0"}
	if len(got) != len(want) || !strings.HasPrefix(got[0], "content ") ||
		fmt.Sprint(got[1:]) != fmt.Sprint(want[1:]) {
		t.Errorf("it says %q, want %q", got, want)
	}
}

// perlClient is a program with the library libtransmission-client-perl of Debian.
const perlClient = `
use Transmission::Client;
my $c = Transmission::Client->new(url => $ARGV[0]);
$c->add(filename => $ARGV[1]) or die $c->error;
$c->read_torrents;
my $t = $c->torrents->[0];
print join(" ", $t->name, $t->total_size, scalar @{$t->files}), "\n";
$t->stop or die; $t->download_limit(50); $t->download_limited(1); $t->seed_ratio_limit(2.5);
$t->write_all if $t->can("write_all");
$c->session->speed_limit_down(500);
print $c->version, "\n";
$t->start or die; $t->verify or die;
print $c->session->stats->torrent_count, "\n";
$c->remove(ids => $t->id) or die $c->error;
`

// libtransmission-client-perl works with the daemon.
func TestPerlClient(t *testing.T) {
	perl := realclient.RequireProgram(t, "perl")
	if exec.Command(perl, "-MTransmission::Client", "-e", "1").Run() != nil {
		realclient.RequireProgram(t, "libtransmission-client-perl") // which skips the test
	}
	b := newBench(t)
	from, torrent := makeTorrent(t, "content", 40_000, 20_000)
	os.CopyFS(b.dir, os.DirFS(from))
	file := filepath.Join(b.dir, "content.torrent")
	if err := os.WriteFile(file, torrent.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), perl, "-e", perlClient, b.url,
		file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, want := strings.TrimSpace(string(out)), "content 60000 2\n"+version+"\n1"; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
	if n := len(b.daemon.Torrents()); n != 0 {
		t.Errorf("%d torrents are left", n)
	}
	if got := b.session("speed-limit-down"); got != "500" {
		t.Errorf("the limit is %s", got)
	}
}
