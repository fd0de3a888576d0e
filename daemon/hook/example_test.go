package hook_test

import (
	"fmt"
	"log/slog"
	"os"

	"swarmnode/daemon/hook"
)

// A command learns of the event from its environment.
func Example() {
	plain := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == "dur" || a.Key == "torrent" {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: plain}))
	r := hook.New(log)
	began := make(chan struct{})
	err := r.Run(hook.Command{Args: []string{"printenv", "NAME"}, Event: "on-complete",
		Env:   []string{hook.Variable("NAME", "A film; rm -rf /")},
		Began: func() { close(began) }})
	if err != nil {
		fmt.Println(err)
	}
	<-began
	r.Close()
	// Output:
	// level=INFO msg="command ended" event=on-complete program=printenv output="A film; rm -rf /"
}
