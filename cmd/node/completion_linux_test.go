package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"swarmnode/internal/realclient"
)

// The shells complete torrents of the daemon that runs. What strangers named them is shown and
// never run.
func TestShellsCompleteTorrents(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.add('a', "$(touch run) `touch run`'\"\tone")
	w.run("set", "1", "--label", "a--b", "--label", "$(touch run)", "--down", "1k")
	dir := t.TempDir()
	run := func(shell string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), shell, args...)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), w.env...), "HOME="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v, %s", shell, err, out)
		}
		return string(out)
	}
	if out := run("node", "completion", "torrents"); strings.Count(out, "\n") != 3 ||
		!strings.HasPrefix(out, "1\t$(touch run) `") ||
		!strings.HasSuffix(out, "\nlabel:a--b\ttorrents with a label\n") {
		t.Errorf("the words are %q", out)
	}
	if out := run("node", "completion", "torrents", "--socket", "nowhere"); out != "" {
		t.Errorf("without a daemon: %q", out)
	}
	bash := realclient.RequireProgram(t, "bash")
	for line, want := range map[string]string{"node stop al": "all", "node rm label": "label:a--b",
		"node show ''": "1 all label:a--b"} {
		if out := run(bash, "-c", bashCompletion(completionWords())+"\nCOMP_WORDS=("+line+
			"); COMP_CWORD=2; _node; echo \"${COMPREPLY[@]}\""); out != want+"\n" {
			t.Errorf("bash: %q completes to %q", line, out)
		}
	}
	fish := realclient.RequireProgram(t, "fish")
	if out := run(fish, "--no-config", "-c", fishCompletion(completionWords())+
		"\ncomplete -C 'node peers '"); !strings.HasPrefix(out, "1\t$(touch run)") {
		t.Errorf("fish: %q", out)
	}
	zsh := realclient.RequireProgram(t, "zsh")
	if out := zshTab(t, zsh, dir, "node files al", w.env...); !strings.Contains(out,
		"<node files all") {
		t.Errorf("zsh: %q", out)
	}
	if left, _ := filepath.Glob(dir + "/run"); len(left) > 0 {
		t.Error("a shell has run a name")
	}
}

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
	for line, want := range map[string]string{
		"node boot": "node bootstrap", "node add --encryption req": "node add --encryption require",
		"node dht fin": "node dht find", "node completion pow": "node completion powershell",
	} {
		if out := zshTab(t, zsh, dir, line); !strings.Contains(out, "<"+want) {
			t.Errorf("%q completes to %q, want %q", line, out, want)
		}
	}
}

// zshTab returns what Tab makes of a line, with the script as a file of fpath in dir. The line
// editor runs on a terminal of zsh's own.
func zshTab(t *testing.T, zsh, dir, line string, env ...string) string {
	t.Helper()
	path := filepath.Join(dir, "_node")
	if err := os.WriteFile(path, []byte(zshCompletion(completionWords())), 0o600); err != nil {
		t.Fatal(err)
	}
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
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%q: %v", line, err)
	}
	return string(out)
}
