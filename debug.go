package swarmnode

import (
	"fmt"
	"io"
	"runtime/pprof"
)

// WriteDebug writes to w what a report of a defect needs: the last events of each torrent,
// which "node sim --replay" replays, how others reach the node, and the stacks of all
// goroutines. The events have numbers in place of addresses and tell nothing of files; see
// swarm.Torrent.WriteEvents.
func (n *Node) WriteDebug(w io.Writer) error {
	if err := n.engine.WriteEvents(w); err != nil {
		return err
	}
	is := n.Reach()
	if _, err := fmt.Fprintf(w, "# reach: utp %v, tcp %v, mapping %v, filtering %v, ports %v, "+
		"relays %d\n", is.UTP, is.TCP, is.Mapping, is.Filtering, is.Ports,
		len(is.Relayed)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "stacks"); err != nil {
		return err
	}
	return pprof.Lookup("goroutine").WriteTo(w, 2)
}
