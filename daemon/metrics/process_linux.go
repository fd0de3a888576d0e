package metrics

import (
	"bytes"
	"os"
	"strconv"
)

// systemProcess returns what the system tells of this process.
func systemProcess() []Metric {
	var list []Metric
	if doc, err := os.ReadFile("/proc/self/statm"); err == nil {
		if fields := bytes.Fields(doc); len(fields) > 1 {
			if pages, err := strconv.ParseUint(string(fields[1]), 10, 63); err == nil {
				list = append(list, Metric{"process_resident_memory_bytes",
					"Memory that the process has.", pages * uint64(os.Getpagesize()), ""})
			}
		}
	}
	if dir, err := os.Open("/proc/self/fd"); err == nil {
		defer dir.Close()
		if names, err := dir.Readdirnames(-1); err == nil {
			list = append(list, Metric{"process_open_fds", "Open files and sockets.",
				uint64(len(names)), ""})
		}
	}
	return list
}
