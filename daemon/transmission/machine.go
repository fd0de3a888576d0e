package transmission

import (
	"net/netip"

	"swarmnode/daemon"
	"swarmnode/swarm/reach"
)

// freeSpace answers with the room on the file system of a folder.
func freeSpace(c *call) error {
	path := c.params.text("path")
	if path == "" {
		return invalid("directory path argument is missing")
	}
	dir, err := c.folder(path, "directory path is not absolute")
	if err != nil {
		return err
	}
	free, total, err := c.h.space(dir)
	w := c.out
	w.key("path")
	w.text(path)
	w.name("size-bytes", "size_bytes")
	if err != nil {
		w.int(-1)
		w.key("total_size")
		w.int(-1)
		return &fault{code: codeSystem, text: err.Error(), keep: true}
	}
	w.int(free)
	w.key("total_size")
	w.int(total)
	return nil
}

// portTest answers whether peers can reach the node. It knows that from those that have, and
// asks nobody.
func portTest(c *call) error {
	family := c.params.text("ip_protocol", "ip-protocol")
	if family != "" && family != "ipv4" && family != "ipv6" {
		return invalid("invalid ip protocol string")
	}
	standing := c.h.daemon.Node().Reach()
	w := c.out
	if family != "" {
		w.key("ip_protocol")
		w.text(family)
	}
	if !standing.Known() {
		return &fault{code: codeHTTP, keep: true,
			text: "not known yet: nobody has tried to reach this node so far"}
	}
	w.name("port-is-open", "port_is_open")
	w.bool(isOpen(standing, family))
	return nil
}

// isOpen reports whether peers of a family, or of any, can connect to the node.
func isOpen(s reach.Standing, family string) bool {
	open := func(addrs ...netip.AddrPort) bool {
		for _, a := range addrs {
			if a.IsValid() {
				return true
			}
		}
		return false
	}
	switch family {
	case "ipv4":
		return open(s.ExternalTCP4)
	case "ipv6":
		return open(s.ExternalTCP6)
	}
	return open(s.ExternalTCP4, s.ExternalTCP6) || s.TCP == reach.Open || s.UTP == reach.Open
}

// space returns the free bytes of the file system of a folder, and all of them.
func (h *Handler) space(dir string) (free, total int64, err error) {
	return daemon.DiskSpace(dir)
}
