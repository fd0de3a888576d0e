// Package control lets others drive a daemon over HTTP: it owns the listeners, and decides who
// may ask for what. It knows no route and no torrent; handlers are given to it.
//
// Serve listens on a Unix socket, whose login are the credentials that the system gives of the
// other end, and on TCP addresses, whose login is a Gate: a password or a token of the
// password file, or nothing for programs of this machine while there is no such file. A
// handler behind Gate.Protect reads who asks with From.
//
// Its nouns: a Gate, which refuses requests; a Refusal, which is the reason; an Identity, who
// asks, with a Scope; an entry of the password file, which is a user with a password or a
// token.
//
// Everything that a stranger can make it keep is bounded: connections, heads, bodies, the
// passwords that are hashed at one time, the addresses that are remembered for wrong ones.
package control
