package daemon

import (
	"os"

	"swarmnode/swarm"
)

// DiskSpace returns how many bytes of the file system of a folder the daemon may still write,
// and how many the file system has. The error says why that is not known.
func DiskSpace(dir string) (free, total int64, err error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, 0, err
	}
	return swarm.DiskSpace(dir)
}
