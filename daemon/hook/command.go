package hook

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Command is what to run at one event.
type Command struct {
	// Args are the program and its arguments: see Check.
	Args []string
	// Env are variables, NAME=VALUE, besides those of this process.
	Env []string
	// Event names the command in the log, as "on-complete".
	Event string
	// Torrent is the info-hash for the log.
	Torrent string
	// Began is called once the program was started, or could not be; nil is nobody. It is not
	// called for a Command that was still in the queue when the Runner was closed.
	Began func()
}

const (
	argsMax     = 64
	argBytesMax = 4096
	// valueBytesMax bounds a variable. Linux refuses to start a program with one of 128 KiB.
	valueBytesMax = 64 << 10
)

// Check says what is wrong with the arguments of a Command. The program is the absolute path
// of a file, or a name that is looked for in PATH.
func Check(args []string) error {
	if len(args) == 0 {
		return nil
	}
	if len(args) > argsMax {
		return fmt.Errorf("a command of %d arguments; want at most %d", len(args), argsMax)
	}
	for _, arg := range args {
		if strings.ContainsRune(arg, 0) {
			return errors.New("an argument contains a NUL")
		}
		if len(arg) > argBytesMax {
			return fmt.Errorf("an argument of %d bytes; want at most %d", len(arg), argBytesMax)
		}
	}
	program := args[0]
	if program == "" {
		return errors.New("the program has no name")
	}
	if filepath.Base(program) != program && !filepath.IsAbs(program) {
		return fmt.Errorf("%q is a relative path; want an absolute one, or a name in PATH", program)
	}
	return nil
}

// Variable returns NAME=VALUE for Command.Env. A NUL, which no variable can hold, becomes a
// space; a value that is too long is cut.
func Variable(name, value string) string {
	value = strings.ReplaceAll(value, "\x00", " ")
	if len(value) > valueBytesMax {
		value = strings.ToValidUTF8(value[:valueBytesMax], "")
	}
	return name + "=" + value
}

// List returns NAME=A,B,C for Command.Env. What does not fit is left out, and no item is cut.
func List(name string, items []string) string {
	size := 0
	for i, item := range items {
		if size += len(item) + 1; size > valueBytesMax {
			items = items[:i]
			break
		}
	}
	return Variable(name, strings.Join(items, ","))
}

// supervised are the variables by which a service manager talks to the daemon alone. A command
// that had them could speak in its name.
var supervised = []string{"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS",
	"LISTEN_FDNAMES", "LISTEN_PID", "CREDENTIALS_DIRECTORY", "MAINPID"}

// environment returns the variables of this process that a command inherits, and then env. Nothing
// of an event that led to this process, as if a command had started it, is inherited.
func environment(env []string) []string {
	var list []string
next:
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		for _, prefix := range []string{"TR_TORRENT_", "TR_APP_", "TR_TIME_", "SWARM_TORRENT_"} {
			if strings.HasPrefix(name, prefix) {
				continue next
			}
		}
		for _, own := range supervised {
			if name == own {
				continue next
			}
		}
		list = append(list, variable)
	}
	return append(list, env...)
}
