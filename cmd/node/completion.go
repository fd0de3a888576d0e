package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
)

func completionCommand() *command {
	return &command{
		name:   "completion",
		noFile: true,
		args:   "bash|zsh|fish|powershell",
		short:  "print a script that completes commands and flags",
		long: `Torrents of the daemon that runs are completed by their numbers and labels. For
that the script calls this command with the word torrents.`,
		examples: []example{
			{"source <(node completion bash)", "for this shell; put it into ~/.bashrc for all"},
			{"node completion fish > ~/.config/fish/completions/node.fish", "for fish"},
		},
		argsMin: 1,
		argsMax: 1,
		setup: func(fs *pflag.FlagSet) action {
			remote := new(remoteFlags)
			remote.register(fs)
			return func(ctx context.Context, c *console, args []string) error {
				script := ""
				if write, ok := completions()[args[0]]; ok {
					script = write(completionWords())
				} else if args[0] == completionTorrents {
					script = remote.torrentWords(ctx, c)
				} else {
					return usage(c.command, fmt.Errorf("no shell %s", quoteSource(args[0])))
				}
				c.event("completion", completionEvent{args[0], script})
				c.text(script)
				return nil
			}
		},
	}
}

// words are the words that can follow a command.
type words struct {
	path     string // the command with those it is in; empty at the start
	short    string
	commands []*command
	flags    []string // with their dashes
	operands []string // words that an argument can be, such as the shells of completion
	torrents bool     // an argument can name a torrent of the daemon
}

// completions returns the function that writes the script of each shell.
func completions() map[string]func([]words) string {
	return map[string]func([]words) string{
		"bash":       bashCompletion,
		"zsh":        zshCompletion,
		"fish":       fishCompletion,
		"powershell": powershellCompletion,
	}
}

// completionWords lists the commands in the order of the help.
func completionWords() []words {
	list := []words{{commands: commands(), flags: flagWords(nil)}}
	for _, cmd := range commands() {
		list = append(list, wordsOf(cmd))
		for _, child := range cmd.children {
			list = append(list, wordsOf(child))
		}
	}
	return list
}

func wordsOf(cmd *command) words {
	w := words{cmd.path(), cmd.short, cmd.children, flagWords(cmd), nil, namesTorrents(cmd)}
	switch {
	case cmd.args == "[COMMAND]":
		for _, other := range commands() {
			w.operands = append(w.operands, other.name)
		}
	case strings.Contains(cmd.args, "|") && strings.ToLower(cmd.args) == cmd.args:
		w.operands = strings.Split(cmd.args, "|")
	}
	return w
}

// valueWords returns what the values of flags can be, by the flag with its dashes: the words of a
// choice, or nil for a folder.
func valueWords() map[string][]string {
	values := make(map[string][]string)
	for _, cmd := range commands() {
		for _, leaf := range append(slices.Clip(cmd.children), cmd) {
			if leaf.setup == nil {
				continue
			}
			flags := commonFlags()
			leaf.setup(flags)
			flags.VisitAll(func(f *pflag.Flag) {
				name, _ := pflag.UnquoteUsage(f)
				if choice, ok := f.Value.(*choiceValue); ok {
					values["--"+f.Name] = choice.choices
				} else if name == "FOLDER" {
					values["--"+f.Name] = nil
				}
			})
		}
	}
	return values
}

func flagWords(cmd *command) []string {
	fs := newFlags("")
	if cmd != nil && cmd.setup != nil {
		cmd.setup(fs)
	}
	new(outputFlags).register(fs)
	fs.BoolP("help", "h", false, "")
	var list []string
	fs.VisitAll(func(f *pflag.Flag) { list = append(list, "--"+f.Name) })
	return list
}

// names returns the subcommands, if there are any.
func (w *words) names() []string {
	var list []string
	for _, cmd := range w.commands {
		list = append(list, cmd.name)
	}
	return list
}

// function returns the name of the shell function that completes for the program.
func function() string {
	return "_" + strings.Map(func(r rune) rune {
		if r == '_' || r < utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return r
		}
		return '_'
	}, program)
}

func bashCompletion(list []words) string {
	var b strings.Builder
	b.WriteString(function() + `() {
  local cur=${COMP_WORDS[COMP_CWORD]} path= w i
  COMPREPLY=()
  case "${COMP_WORDS[COMP_CWORD-1]}" in
`)
	values := valueWords()
	for _, flag := range slices.Sorted(maps.Keys(values)) {
		from := "-d"
		if values[flag] != nil {
			from = fmt.Sprintf("-W %q", strings.Join(values[flag], " "))
		}
		fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen %s -- \"$cur\")); return ;;\n", flag, from)
	}
	b.WriteString(`  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    w=${COMP_WORDS[i]}
    case "$path $w" in
`)
	writeShellPaths(&b, list, "      ", "path")
	b.WriteString(`    esac
  done
  local words torrents=
  case "$path" in
`)
	for _, w := range list {
		torrents := ""
		if w.torrents {
			torrents = " torrents=1"
		}
		fmt.Fprintf(&b, "    %q) words=%q%s ;;\n", w.path,
			strings.Join(slices.Concat(w.names(), w.operands, w.flags), " "), torrents)
	}
	b.WriteString(`  esac
  case "$cur" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
    *)
      [[ $torrents ]] && torrents=$(` + torrentsCall() + ` | cut -f 1)
      COMPREPLY=($(compgen -W "$torrents ${words%%--*}" -- "$cur") $(compgen -f -- "$cur"))
      ;;
  esac
}
complete -o filenames -F ` + function() + " " + shellWord(program) + "\n")
	return b.String()
}

// writeShellPaths writes the cases that walk from one command to the next.
func writeShellPaths(b *strings.Builder, list []words, indent, variable string) {
	for _, w := range list {
		for _, cmd := range w.commands {
			fmt.Fprintf(b, "%s%q) %s=%q ;;\n", indent, w.path+" "+cmd.name, variable,
				strings.TrimSpace(w.path+" "+cmd.name))
		}
	}
}

func zshCompletion(list []words) string {
	var b strings.Builder
	b.WriteString("#compdef " + program + "\n" + function() + `() {
  local at= w i
  case "${words[CURRENT-1]}" in
`)
	values := valueWords()
	for _, flag := range slices.Sorted(maps.Keys(values)) {
		do := "_files -/"
		if values[flag] != nil {
			do = "compadd -- " + strings.Join(values[flag], " ")
		}
		fmt.Fprintf(&b, "    %s) %s; return ;;\n", flag, do)
	}
	b.WriteString(`  esac
  for ((i = 2; i < CURRENT; i++)); do
    w=${words[i]}
    case "$at $w" in
`)
	writeShellPaths(&b, list, "      ", "at")
	b.WriteString(`    esac
  done
  local -a commands flags lines ids
  local torrents=
  case "$at" in
`)
	for _, w := range list {
		var described []string
		for _, cmd := range w.commands {
			described = append(described, shellQuote(cmd.name+":"+cmd.short))
		}
		for _, word := range w.operands {
			described = append(described, shellQuote(word))
		}
		torrents := ""
		if w.torrents {
			torrents = " torrents=1"
		}
		fmt.Fprintf(&b, "    %q) commands=(%s) flags=(%s)%s ;;\n", w.path,
			strings.Join(described, " "), strings.Join(w.flags, " "), torrents)
	}
	b.WriteString(`  esac
  if [[ ${words[CURRENT]} == -* ]]; then
    compadd -- $flags
  else
    (( $#commands )) && _describe command commands
    if [[ -n $torrents ]]; then
      lines=("${(@f)$(` + torrentsCall() + `)}")
      if [[ -n ${lines[1]} ]]; then
        ids=("${(@)lines%%$'\t'*}")
        lines=("${(@)lines//$'\t'/  }")
        compadd -V torrents -l -d lines -a ids
      fi
    fi
    _files
  fi
}
# As a file of fpath it is the body of the function; otherwise it is sourced.
if [[ ${funcstack[1]} == ` + function() + ` ]]; then
  ` + function() + ` "$@"
else
  compdef ` + function() + " " + shellWord(program) + `
fi
`)
	return b.String()
}

// torrentsCall is the command that prints the words for torrents.
func torrentsCall() string {
	return shellWord(program) + " completion " + completionTorrents + " 2>/dev/null"
}

// shellWord quotes s if the shell needs that.
func shellWord(s string) string {
	if isShellWord(s) {
		return s
	}
	return shellQuote(s)
}

// isShellWord reports whether s means itself in every shell.
func isShellWord(s string) bool {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return strings.Trim(s, plain) == ""
}

// powershellWord quotes s for PowerShell.
func powershellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// shellQuote quotes s for a POSIX shell, and for fish.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func fishCompletion(list []words) string {
	var b strings.Builder
	values := valueWords()
	for _, w := range list {
		on := "__fish_use_subcommand"
		if w.path != "" {
			parts := strings.Fields(w.path)
			var seen []string
			for _, p := range parts {
				seen = append(seen, "__fish_seen_subcommand_from "+p)
			}
			on = strings.Join(seen, "; and ")
		}
		for _, cmd := range w.commands {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n", shellWord(program),
				shellQuote(on), cmd.name, shellQuote(cmd.short))
		}
		for _, word := range w.operands {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n", shellWord(program),
				shellQuote(on), word)
		}
		if w.torrents {
			fmt.Fprintf(&b, "complete -c %s -n %s -k -a '(%s)'\n", shellWord(program),
				shellQuote(on), torrentsCall())
		}
		for _, f := range w.flags {
			value := ""
			if choices, ok := values[f]; ok && choices != nil {
				value = " -x -a " + shellQuote(strings.Join(choices, " "))
			} else if ok {
				value = " -x -a '(__fish_complete_directories)'"
			}
			fmt.Fprintf(&b, "complete -c %s -n %s -l %s%s\n", shellWord(program), shellQuote(on),
				strings.TrimPrefix(f, "--"), value)
		}
	}
	return b.String()
}

func powershellCompletion(list []words) string {
	var b strings.Builder
	b.WriteString("Register-ArgumentCompleter -Native -CommandName " + shellWord(program) + ` -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $next = @{
`)
	for _, w := range list {
		all := slices.Concat(w.names(), w.operands, w.flags)
		fmt.Fprintf(&b, "    '%s' = '%s'\n", w.path, strings.Join(all, " "))
	}
	var torrents []string
	for _, w := range list {
		if w.torrents {
			torrents = append(torrents, "'"+w.path+"'")
		}
	}
	b.WriteString(`  }
  $torrents = ` + strings.Join(torrents, ", ") + `
  $path = ''
  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {
    $longer = "$path $element".Trim()
    if ($next.ContainsKey($longer)) { $path = $longer }
  }
  if (($torrents -contains $path) -and -not $wordToComplete.StartsWith('-')) {
    & ` + powershellWord(program) + ` completion torrents 2>$null | ForEach-Object {
      $id, $name = $_ -split "` + "`t" + `", 2
      if ($id -like "$wordToComplete*") {
        [System.Management.Automation.CompletionResult]::new($id, $id, 'ParameterValue', "$id $name")
      }
    }
  }
  $next[$path].Split(' ') | Where-Object { $_ -like "$wordToComplete*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}
`)
	return b.String()
}
