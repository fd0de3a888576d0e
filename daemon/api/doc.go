// Package api is the HTTP interface of a daemon that is our own: /api/v1, JSON over the
// listeners of package control. docs/api.md describes it for users, openapi.json for programs.
//
// It turns requests into calls of a daemon.Daemon, and states into JSON. It decides nothing
// about torrents and keeps nothing but the speeds of the last hour and the last lines of the
// log. The types of bodies are exported, so that a client in Go shares them.
//
// Its nouns: a route, which is a row of the table that everything is made from; a Problem,
// which is the body of an error (RFC 9457); a feed, which is a request that stays open and
// tells what changes.
package api
