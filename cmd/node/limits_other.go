//go:build !linux

package main

// Other systems are not asked: what they lack shows when it is needed.

func descriptorsLeft(max int) int { return max }

func tasksLeft() (left int, limited bool) { return 0, false }

func addressesLeft() (left int64, limited bool) { return 0, false }
