//go:build !unix

package main

// stopProcess does nothing: there are no jobs here.
func stopProcess() {}
