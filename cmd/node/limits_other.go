//go:build !linux

package main

// Other systems are not asked. A lack shows when the resource is needed.

func descriptorsLeft(max int) int { return max }

func tasksLeft() (left int, limited bool) { return 0, false }

func addressesLeft() (left int64, limited bool) { return 0, false }
