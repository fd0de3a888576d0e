package control

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// rereadEvery is the time between two looks whether the password file has changed.
	rereadEvery = time.Second
	// provenMax bounds the passwords that are known to be right, so that only the first
	// request with a password costs a hash.
	provenMax = 256
)

// A keyring holds what the password file has. It is safe for concurrent use.
type keyring struct {
	path string
	log  *slog.Logger
	seal [32]byte // the key of proven, known to nobody

	mu     sync.Mutex
	found  bool // there is a password file, or was one
	users  map[string]*key
	tokens map[[sha256.Size]byte]*key // by the hash of the token
	marks  map[[markBytes]byte]*key   // all, by what tickets have in their place
	seen   os.FileInfo                // the file as it was read; nil before
	looked time.Time
	warned string                          // the fault that was logged last
	proven map[[sha256.Size]byte]*provenBy // by the seal of name and password
}

// A key is an entry, parsed.
type key struct {
	entry Entry
	hash  *secretHash
}

// provenBy says that a password is the one of a user.
type provenBy struct{ user *key }

// openKeys reads the password file. An optional one may not be there yet.
func openKeys(path string, optional bool, log *slog.Logger) (*keyring, error) {
	k := &keyring{path: path, log: log}
	rand.Read(k.seal[:])
	if optional && missing(path) {
		return k, nil
	}
	doc, info, err := readPasswords(path)
	if err != nil {
		return nil, err
	}
	entries, err := parsePasswords(path, doc)
	if err != nil {
		return nil, err
	}
	k.found = true
	k.set(entries, info)
	return k, nil
}

// missing reports whether there is no file. A link that leads nowhere is one.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// needed reports whether a password is needed: whether there is a password file, or was one.
func (k *keyring) needed(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	return k.found
}

// holds reports whether an entry is in the password file as it was, and not over.
func (k *keyring) holds(now time.Time, was *key) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	is := k.users[was.entry.Name]
	if was.entry.Token() {
		is = k.tokens[[sha256.Size]byte(was.hash.key)]
	}
	is = is.unexpired(now)
	return is != nil && is.entry.line() == was.entry.line()
}

// mark returns what stands for an entry in a ticket.
func (k *keyring) mark(of *key) [markBytes]byte {
	sum := k.sealed("", of.entry.line())
	return [markBytes]byte(sum[:])
}

// marked returns the entry with a mark, or nil.
func (k *keyring) marked(mark [markBytes]byte) *key {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.marks[mark]
}

// set puts other entries in force. k.mu is held, or nobody else has k.
func (k *keyring) set(entries []Entry, info os.FileInfo) {
	k.users, k.tokens = make(map[string]*key), make(map[[sha256.Size]byte]*key)
	k.proven = make(map[[sha256.Size]byte]*provenBy)
	k.marks = make(map[[markBytes]byte]*key)
	k.seen = info
	for _, e := range entries {
		hash, err := parseHash(e.Hash)
		if err != nil {
			continue // parsePasswords has tried
		}
		entry := &key{e, hash}
		k.marks[k.mark(entry)] = entry
		if e.Token() {
			k.tokens[[sha256.Size]byte(hash.key)] = entry
		} else {
			k.users[e.Name] = entry
		}
	}
}

// look reads the file again if it has changed. A file that cannot be read changes nothing:
// somebody who can only damage it does not get in. If it is the first one, nobody gets in. k.mu
// is held.
func (k *keyring) look(now time.Time) {
	if now.Sub(k.looked) < rereadEvery {
		return
	}
	k.looked = now
	info, err := os.Stat(k.path)
	if err == nil && k.seen != nil && os.SameFile(info, k.seen) && info.Size() == k.seen.Size() &&
		info.ModTime().Equal(k.seen.ModTime()) && info.Mode() == k.seen.Mode() {
		return
	}
	if !k.found {
		if missing(k.path) {
			return
		}
		k.found = true
		k.log.Info("from now on a password is needed over TCP", "file", k.path)
	}
	doc, info, err := readPasswords(k.path)
	var entries []Entry
	if err == nil {
		entries, err = parsePasswords(k.path, doc)
	}
	if err != nil {
		if fault := err.Error(); fault != k.warned {
			k.warned = fault
			what := "the passwords of before stay in force"
			if k.seen == nil {
				what = "nobody can log in"
			}
			k.log.Warn(what, "err", err)
		}
		return
	}
	k.warned = ""
	k.set(entries, info)
	k.log.Info("passwords read", "entries", len(entries))
}

// token returns the entry of a token, or nil.
func (k *keyring) token(now time.Time, token string) *key {
	sum := sha256.Sum256([]byte(token))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	return k.tokens[sum].unexpired(now)
}

// user returns the entry of a user, or nil. proven says that the password was right before.
func (k *keyring) user(now time.Time, name, password string) (user *key, proven bool) {
	sum := k.sealed(name, password)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.look(now)
	user = k.users[name].unexpired(now)
	p := k.proven[sum]
	return user, p != nil && user != nil && p.user == user
}

// prove records that a password is the one of user.
func (k *keyring) prove(user *key, password string) {
	sum := k.sealed(user.entry.Name, password)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users[user.entry.Name] != user {
		return // the file has changed
	}
	if len(k.proven) >= provenMax {
		clear(k.proven)
	}
	k.proven[sum] = &provenBy{user}
}

// sealed returns what proven has in place of a name and a password.
func (k *keyring) sealed(name, password string) [sha256.Size]byte {
	mac := hmac.New(sha256.New, k.seal[:])
	mac.Write([]byte(name))
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	return [sha256.Size]byte(mac.Sum(nil))
}

// unexpired returns k, or nil once its time is over.
func (k *key) unexpired(now time.Time) *key {
	if k == nil || !k.entry.Expires.IsZero() && !now.Before(k.entry.Expires) {
		return nil
	}
	return k
}
