// Package web serves the page with which people run a node: HTML, CSS and ES modules that are
// embedded in the program as they are, without a build step.
//
// The page has no secret and needs no login. What it shows comes from the interface of package
// api, by requests of the browser that the gate of package control judges. The package starts no
// goroutine and keeps no state but the compressed files, which Handler makes once.
//
// Its nouns: an asset is one embedded file with its compressed form and its entity tags.
package web
