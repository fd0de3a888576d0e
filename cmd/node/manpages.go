package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// exitMeanings says for the manual what each exit code means.
var exitMeanings = map[int]string{
	exitDone:        "Done.",
	exitOther:       "Failed, for a cause without a code of its own.",
	exitUsage:       "Usage: an unknown command or flag, or a wrong value.",
	exitInput:       "Bad input, such as a magnet link, a torrent or the configuration file.",
	exitNoPeers:     "No peers or no metadata before --timeout.",
	exitIncomplete:  "Not complete before --timeout.",
	exitMismatch:    "The data does not match its hashes.",
	exitDisk:        "The disk is full, refuses access, or fails.",
	exitExists:      "The target exists already.",
	exitNetwork:     "The network: an address cannot be listened on, or no bootstrap host is usable.",
	exitDaemon:      "No daemon answers, or it refuses.",
	exitHungUp:      "Stopped cleanly after SIGHUP.",
	exitInterrupted: "Stopped cleanly after SIGINT.",
	exitTerminated:  "Stopped cleanly after SIGTERM.",
}

// manFiles are the files that the program reads and writes.
var manFiles = []tagged{
	{"Pa $XDG_CONFIG_HOME/swarmnode/config.toml", "The configuration file of the user, " +
		"~/.config/swarmnode/config.toml unless XDG_CONFIG_HOME is set."},
	{"Pa /etc/swarmnode/config.toml", "The configuration file of root and of the user of the " +
		"service, if they have none of their own."},
	{"Pa $XDG_STATE_HOME/swarmnode", "What a node remembers between runs: its port, DHT nodes, " +
		"peers, and what of each torrent is verified. It is ~/.local/state/swarmnode unless " +
		"XDG_STATE_HOME is set."},
}

// manEnvironment are the variables that the program reads.
var manEnvironment = []tagged{
	{"Ev SWARM_FLAG", "The value of --flag where the command line has none: SWARM_PORT is --port, " +
		"SWARM_PIECE_LENGTH is --piece-length. Commas separate the values of a flag that may be " +
		"repeated. The environment comes before the configuration file."},
	{"Ev NO_COLOR", "Unless empty, no colours on a terminal."},
	{"Ev TERM", "If it is dumb, the terminal has neither colours nor a line that is redrawn."},
	{"Ev XDG_CONFIG_HOME , XDG_STATE_HOME", "The base of the folders below."},
	{"Ev CONFIGURATION_DIRECTORY , STATE_DIRECTORY", "The folders that systemd gives a service, " +
		"where the variables above are not set."},
}

// programPage is the page of the program.
func programPage(date time.Time) manPage {
	m := manHead(program, commandSection, date, "a BitTorrent node that needs no tracker")
	m.macro("Sh", "SYNOPSIS")
	m.macro("Nm", mdocWord(program))
	m.macro("Op", "Ar", "FLAGS")
	m.macro("Ar", "COMMAND")
	m.macro("Op", "Ar", "FLAGS")
	m.macro("Op", "Ar", "ARGUMENTS")
	m.macro("Sh", "DESCRIPTION")
	m.macro("Nm")
	m.text("seeds and fetches torrents. It finds peers through the Mainline DHT, on the local " +
		"network, and through the trackers and peers that a torrent or a magnet link names.\n\n" +
		"Results go to standard output, and nothing else does. Progress, warnings and errors go " +
		"to standard error. A signal ends a command cleanly, and the same command continues " +
		"where it was.")
	m.macro("Sh", "COMMANDS")
	m.commandList(commands())
	m.macro("Sh", "OPTIONS")
	m.text("These are flags of every command.")
	m.flags(commonFlags())
	m.macro("Sh", "ENVIRONMENT")
	m.list(manEnvironment)
	m.macro("Sh", "FILES")
	m.list(manFiles)
	m.macro("Sh", "EXIT", "STATUS")
	var codes []tagged
	for _, code := range slices.Sorted(maps.Keys(exitMeanings)) {
		codes = append(codes, tagged{fmt.Sprint(code), exitMeanings[code]})
	}
	m.list(codes)
	var all []string
	for _, cmd := range commands() {
		all = append(all, manName(cmd))
	}
	m.seeAlso(all...)
	return manPage{program, commandSection, m.b.String()}
}

// configPage is the page of the configuration file: its keys are the flags of the commands that
// read it.
func configPage(date time.Time) manPage {
	name := program + ".toml"
	m := manHead(name, configSection, date, "configuration file of "+program)
	m.macro("Sh", "DESCRIPTION")
	m.text(underOwnName(configCommand().long) + "\n\nThe command line comes before the " +
		"environment, the environment before the file, and the file before the defaults. A flag that may be " +
		"repeated takes a list. A path that begins with ~/ is in the home folder. An unknown key " +
		"is an error, which names its line.")
	m.macro("Sh", "KEYS")
	m.list(configItems())
	m.macro("Sh", "FILES")
	m.list(manFiles[:2])
	m.macro("Sh", "EXAMPLES")
	m.literal(`port = 6881
up = "2M"
blocklist = ["/srv/block.p2p.gz"]

[seed]
portmap = false`)
	m.macro("Sh", "SEE", "ALSO")
	m.macro("Xr", mdocWord(program), fmt.Sprint(commandSection), ",")
	m.macro("Xr", mdocWord(program+"-config"), fmt.Sprint(commandSection))
	return manPage{name, configSection, m.b.String()}
}

// configItems describes each key, with the commands that have it, in the order of the alphabet.
// Flags of one name that do different things have an item each.
func configItems() []tagged {
	users := make(map[tagged][]string)
	all := len(flagTables())
	for table, flags := range flagTables() {
		flags.VisitAll(func(f *pflag.Flag) {
			if !unfiled(f) {
				item := keyItem(f)
				users[item] = append(users[item], table)
			}
		})
	}
	items := slices.SortedFunc(maps.Keys(users), func(a, b tagged) int {
		return cmp.Or(strings.Compare(a.tag, b.tag), strings.Compare(a.text, b.text))
	})
	for i, item := range items {
		tables := users[item]
		slices.Sort(tables)
		if len(tables) == all {
			items[i].text += "\n\nFor every command."
		} else {
			items[i].text += "\n\nFor " + strings.Join(tables, ", ") + "."
		}
	}
	return items
}

// keyItem is the item of the key of a flag: "port = N".
func keyItem(f *pflag.Flag) tagged {
	item := flagItem(f)
	value := "true | false"
	if _, v, ok := strings.Cut(item.tag, " Ar "); ok {
		value = v
	}
	return tagged{"Cm " + mdocWord(f.Name) + " = Ar " + value, item.text}
}
