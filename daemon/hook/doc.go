// Package hook runs the commands that a user wants at events.
//
// A Command is a program with its arguments; no shell is between. What strangers wrote, such as
// the name of a torrent, reaches it in the environment alone, as data. A Runner runs a few
// commands at one time, lets others wait in a queue with a bound, ends those that take too
// long, and reads a bounded part of what they print.
//
// The package knows nothing of torrents. Whatever a command does, hang, fork, fail or print
// without end, costs no more than its place, and holds up nobody but the commands behind it.
package hook
