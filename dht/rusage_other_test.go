//go:build !unix

package dht

import "time"

func processorTime() time.Duration { return 0 }
