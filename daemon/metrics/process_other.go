//go:build !linux

package metrics

// systemProcess returns what the system tells of this process.
func systemProcess() []Metric { return nil }
