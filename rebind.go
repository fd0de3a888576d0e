package swarmnode

import "net/netip"

// Listen makes the node listen on other addresses, as Config.Listen names them, with the port
// of before where none is named. The new ones are bound before the old ones are given up.
// Connections stay; torrents announce the new port, and the DHT node and local discovery
// start again there. Behind a proxy nobody listens, and Listen does nothing. The error is
// ErrClosed, or a *ListenError: then everything stays as it was.
func (n *Node) Listen(addrs ...netip.AddrPort) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	choice := n.choice
	choice.addrs = addrs
	return n.rebind(choice)
}

// SetPort makes the node listen on another port at the addresses that name none. Zero means
// what it means in Config.Port. Otherwise SetPort is like Listen.
func (n *Node) SetPort(port uint16) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	choice := n.choice
	choice.port = port
	return n.rebind(choice)
}

// rebind makes the node listen where choice says. n.mu is held.
func (n *Node) rebind(choice portChoice) error {
	if n.closed {
		return ErrClosed
	}
	if n.proxy != nil {
		return nil
	}
	taken, err := choice.bind(n.cfg.Logger, n.dir, n.engine.Rebind)
	if err != nil {
		return err
	}
	n.choice, n.taken = choice, taken
	return n.restart()
}

// renew makes all sockets again after the interface was made again.
func (n *Node) renew() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return ErrClosed
	}
	if err := n.engine.Renew(); err != nil {
		return err
	}
	n.mapped.NetworkChanged()
	return n.restart()
}

// restart starts the DHT node and local discovery again on other sockets, if they run, and maps
// the ports of the sockets. n.mu is held.
func (n *Node) restart() error {
	n.setPortMap()
	n.stopLSD()
	if n.wantLSD && n.LocalPeers() {
		n.startLSD()
	}
	on := n.dht.On()
	n.dht.stop()
	if name := n.nodesFile(); name != n.dht.saved.name {
		n.dht.saved.close()
		n.dht.saved = keepNodes(n.dir, name)
		n.dht.remember(n.dht.saved.load(n.cfg.Logger))
	}
	if on {
		return n.startDHT()
	}
	return nil
}
