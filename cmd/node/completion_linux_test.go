package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
)

// fish itself completes commands, flags and values.
func TestFishCompletes(t *testing.T) {
	t.Parallel()
	fish := realclient.RequireProgram(t, "fish")
	script := fishCompletion(completionWords())
	for line, want := range map[string]string{
		"node boot": "bootstrap", "node dht fi": "find", "node add --time": "--timeout",
		"node completion pow": "powershell", "node add --encryption req": "require",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", script+"\ncomplete -C "+shellQuote(line))
		cmd.Dir = t.TempDir()
		cmd.Env = append(cmd.Environ(), "HOME="+cmd.Dir)
		out, err := cmd.CombinedOutput()
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		if word, _, _ := strings.Cut(first, "\t"); err != nil || word != want {
			t.Errorf("%q completes to %q, %v, want %q", line, out, err, want)
		}
	}
}

// zsh itself takes the script as a file of fpath, and completes with it.
func TestZshCompletes(t *testing.T) {
	t.Parallel()
	zsh := realclient.RequireProgram(t, "zsh")
	dir := t.TempDir()
	path := filepath.Join(dir, "_node")
	if err := os.WriteFile(path, []byte(zshCompletion(completionWords())), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"node boot": "node bootstrap", "node add --encryption req": "node add --encryption require",
		"node dht fin": "node dht find", "node completion pow": "node completion powershell",
	} {
		// The line editor runs on a terminal of zsh's own, and shows what Tab makes of a line.
		run := `zmodload zsh/zpty; zpty z "zsh -f -i"
zpty -w z "PS1=; fpath=(` + dir + ` \$fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep"
zpty -w z "show() { print -r -- \"<\$BUFFER>\"; zle kill-buffer }; zle -N show; bindkey '^X' show"
zpty -w z "print READ''Y"
while zpty -r z out; do [[ $out == *READY* ]] && break; done
zpty -wn z "` + line + `"$'\t'$'\x18'
while zpty -r z out; do [[ $out == *"<"*">"* ]] && break; done
print -r -- $out`
		cmd := exec.CommandContext(t.Context(), zsh, "-f", "-c", run)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "<"+want) {
			t.Errorf("%q completes to %q, %v, want %q", line, out, err, want)
		}
	}
}
