// Package client is a Go client of the interface of a daemon, /api/v1 of package daemon/api.
//
// A Client sends requests to one daemon: through its Unix socket, or over HTTP with a password or
// a token. It keeps nothing about torrents and repeats nothing. The types of bodies are those of
// package api, whose Problem is the error of a request that the daemon refuses. A Feed reads what
// changes, and goes on where it was after a break.
//
// What the other end sends is bounded, so a wrong address costs neither memory nor time.
package client
