package limit

import "sync"

// A Ledger is a budget of bytes that are held for others: messages that wait to be sent to
// them, and messages of which only a part has come. Each of the others has an account.
// When the budget is used up, the account that holds most is closed, so that an account
// which holds little is safe however many hold much. It is safe for concurrent use.
type Ledger struct {
	max int64

	mu       sync.Mutex
	used     int64 // of all accounts; <= max whenever mu is free
	accounts map[*Account]struct{}
}

// An Account is the part of a Ledger that one connection holds. It is safe for concurrent
// use; a nil Account holds nothing.
type Account struct {
	ledger *Ledger
	evict  func()
	held   int64 // guarded by ledger.mu
}

// NewLedger returns a budget of that many bytes.
func NewLedger(bytes int64) *Ledger {
	return &Ledger{max: bytes, accounts: make(map[*Account]struct{})}
}

// Open returns a new account. When the account is closed to make room for others, Add of
// any account calls evict, once.
func (l *Ledger) Open(evict func()) *Account {
	a := &Account{ledger: l, evict: evict}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.accounts[a] = struct{}{}
	return a
}

// Used returns how many bytes all accounts hold.
func (l *Ledger) Used() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used
}

// Add takes n bytes more, or gives some back if n is negative. It may call the evict of
// any account, including that of a, so the caller must not hold a lock that evict takes.
func (a *Account) Add(n int) {
	if a == nil || n == 0 {
		return
	}
	for _, heaviest := range a.ledger.add(a, int64(n)) {
		heaviest.evict()
	}
}

// add returns the accounts that are closed to make room.
func (l *Ledger) add(a *Account, n int64) (closed []*Account) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, open := l.accounts[a]; !open {
		return nil
	}
	a.held += n
	l.used += n
	for l.used > l.max {
		heaviest := a
		for other := range l.accounts {
			if other.held > heaviest.held {
				heaviest = other
			}
		}
		l.close(heaviest)
		closed = append(closed, heaviest)
	}
	return closed
}

// Close gives everything back. The account holds nothing from then on.
func (a *Account) Close() {
	if a == nil {
		return
	}
	a.ledger.mu.Lock()
	defer a.ledger.mu.Unlock()
	a.ledger.close(a)
}

func (l *Ledger) close(a *Account) {
	if _, open := l.accounts[a]; open {
		l.used -= a.held
		a.held = 0
		delete(l.accounts, a)
	}
}
