package daemon

import (
	"errors"
	"fmt"

	"swarmnode/metainfo"
	"swarmnode/swarm"
)

const (
	// choicesMax bounds the choices of files of a link, and choiceBytesMax their texts together.
	// They are kept in the record.
	choicesMax     = 1000
	choiceBytesMax = 64 << 10
)

// errNoFile says that no file has a name that was chosen.
var errNoFile = errors.New("none of its files was chosen")

// checkChoices checks the choices of files of an AddSpec.
func checkChoices(list []metainfo.FileChoice) error {
	if len(list) > choicesMax {
		return &OptionError{"files", fmt.Errorf("there are %d choices, at most %d", len(list),
			choicesMax)}
	}
	bytes := 0
	for i := range list {
		bytes += len(list[i].Text)
	}
	if bytes > choiceBytesMax {
		return &OptionError{"files", fmt.Errorf("the choices have %d bytes, at most %d", bytes,
			choiceBytesMax)}
	}
	return nil
}

// choicesOf parses choices of a record.
func choicesOf(texts []string) (list []metainfo.FileChoice) {
	for _, text := range texts {
		if c, err := metainfo.ParseFileChoice(text); err == nil { // it was parsed when it came
			list = append(list, c)
		}
	}
	return list
}

// namedBy returns priorities with which the files that choices name are wanted, nil if there is
// none.
func namedBy(list []metainfo.FileChoice, l *metainfo.Layout) []swarm.Priority {
	wanted, some := make([]bool, len(l.Files)), false
	for i := range list {
		some = list[i].Mark(l, wanted) || some
	}
	if !some {
		return nil
	}
	files := make([]swarm.Priority, len(l.Files))
	for i := range files {
		if wanted[i] {
			files[i] = swarm.Normal
		}
	}
	return files
}

// isWanted reports whether a priority is one of a file that is wanted.
func isWanted(p swarm.Priority) bool { return p != swarm.Unwanted }

// chooses returns a function of a swarm.Spec like chosenOf, for the choices of a link. The engine
// keeps it, so it refers to nothing else.
func chooses(list []metainfo.FileChoice) func(*metainfo.Layout) []swarm.Priority {
	return func(l *metainfo.Layout) []swarm.Priority {
		if files := namedBy(list, l); files != nil {
			return files
		}
		return make([]swarm.Priority, len(l.Files))
	}
}
