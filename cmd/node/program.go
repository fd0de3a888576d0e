package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// programDefault is the name under which the program is built.
const programDefault = "node"

// program is the name under which the program was called, which main sets. Usage, errors
// and completion use that name, since another program may be called node.
var program = programDefault

// programName returns the name in the first word of a command line. A login shell puts a
// dash before it, and Windows a suffix behind it.
func programName(arg0 string) string {
	name := strings.TrimPrefix(filepath.Base(arg0), "-")
	name = strings.TrimSuffix(name, ".exe")
	if name == "." || name == string(filepath.Separator) || name == "" {
		return programDefault
	}
	return name
}

// underOwnName puts the name of the program into a text of the help where node stands
// before a command, a flag or a placeholder. Elsewhere the word means a node of the DHT.
func underOwnName(text string) string {
	if program == programDefault {
		return text
	}
	names := []string{`\bnode( (?:[-[]|COMMAND\b`}
	for _, cmd := range commands() {
		names = append(names, cmd.name+`\b`)
	}
	own := regexp.MustCompile(strings.Join(names, "|") + `)|\.fish\b)`)
	return own.ReplaceAllStringFunc(text, func(s string) string {
		return program + strings.TrimPrefix(s, programDefault)
	})
}
