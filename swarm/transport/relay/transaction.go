package relay

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/pion/stun/v4"
)

const (
	// transactionsMax bounds how many requests wait for their answers at a time.
	transactionsMax = 64
	// firstWait is how long the first answer is waited for before the request is sent again;
	// each further wait is twice as long (RFC 8489, section 6.2.1). The RFC begins with 500 ms
	// and gives up after 39.5 s: too late for a transfer that could go another way.
	firstWait = 250 * time.Millisecond
	// answerWait is how long a request may take in all, with four sendings.
	answerWait = 3 * time.Second
	// retriesMax is how often a request is sent with another nonce (RFC 8489, section 9.2.5).
	retriesMax = 2
	// reasonMax bounds the reason in a ServerError.
	reasonMax = 128
	// padTo is the size of a first request, in bytes. A server that is careful about forged
	// senders sends answers no longer than requests.
	padTo = 160
)

// transactions are the requests that wait for their answers. They are safe for concurrent use.
type transactions struct {
	mu      sync.Mutex
	waiting map[[stun.TransactionIDSize]byte]*transaction
}

// A transaction is one request.
type transaction struct {
	key    stun.MessageIntegrity // of the request, nil if it had none
	answer chan *stun.Message    // of capacity 1
}

// begin registers a request.
func (t *transactions) begin(m *stun.Message, key stun.MessageIntegrity) (*transaction, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) >= transactionsMax {
		return nil, ErrBusy
	}
	if t.waiting == nil {
		t.waiting = make(map[[stun.TransactionIDSize]byte]*transaction)
	}
	tr := &transaction{key: key, answer: make(chan *stun.Message, 1)}
	t.waiting[m.TransactionID] = tr
	return tr, nil
}

// end forgets a request.
func (t *transactions) end(m *stun.Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiting, m.TransactionID)
}

// of returns the request that an answer belongs to, nil if there is none. The answer of an
// authenticated request must be authentic too; only an error that says why the server cannot
// authenticate may lack the proof (RFC 8489, section 9.2.5).
func (t *transactions) of(m *stun.Message) *transaction {
	t.mu.Lock()
	tr := t.waiting[m.TransactionID]
	t.mu.Unlock()
	if tr == nil || !tr.authentic(m) {
		return nil
	}
	return tr
}

// take hands an answer to whoever waits for it; a second one is dropped.
func (tr *transaction) take(m *stun.Message) {
	select {
	case tr.answer <- m:
	default:
	}
}

func (tr *transaction) authentic(m *stun.Message) bool {
	if tr.key == nil {
		return true
	}
	if m.Contains(stun.AttrMessageIntegrity) {
		return tr.key.Check(m) == nil
	}
	var code stun.ErrorCodeAttribute
	return m.Type.Class == stun.ClassErrorResponse && code.GetFrom(m) == nil &&
		(code.Code == stun.CodeUnauthorized || code.Code == stun.CodeStaleNonce)
}

// login is what authenticates requests: the long-term credential of RFC 8489, section 9.2.
// It is safe for concurrent use.
type login struct {
	user, password string

	mu    sync.Mutex
	realm stun.Realm
	nonce stun.Nonce
	key   stun.MessageIntegrity // nil until the server has named its realm
}

// challenge takes realm and nonce from an error, and reports whether the nonce is a new one.
func (l *login) challenge(m *stun.Message) (fresh bool) {
	var realm stun.Realm
	var nonce stun.Nonce
	if nonce.GetFrom(m) != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if realm.GetFrom(m) == nil && (l.key == nil || realm.String() != l.realm.String()) {
		l.realm = append(stun.Realm(nil), realm...)
		l.key = stun.NewLongTermIntegrity(l.user, realm.String(), l.password)
	}
	fresh = l.nonce.String() != nonce.String()
	l.nonce = append(stun.Nonce(nil), nonce...)
	return fresh && l.key != nil
}

// build makes a request, authenticated as soon as the server's realm is known.
func (l *login) build(method stun.Method, attrs []stun.Setter) (*stun.Message,
	stun.MessageIntegrity, error,
) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, stun.ClassRequest)},
		attrs...)
	if l.key == nil {
		m, err := stun.Build(all...)
		if err == nil && len(m.Raw) < padTo {
			// Spaces mean nothing in SOFTWARE (RFC 8489, section 14.14).
			pad := make([]byte, padTo-len(m.Raw)-4)
			for i := range pad {
				pad[i] = ' '
			}
			m.Add(stun.AttrSoftware, pad)
		}
		return m, nil, err
	}
	all = append(all, stun.NewUsername(l.user), l.realm, l.nonce, l.key)
	m, err := stun.Build(all...)
	return m, l.key, err
}

// codeOf returns the error in an answer, or nil if the answer is none.
func codeOf(m *stun.Message) *ServerError {
	if m.Type.Class != stun.ClassErrorResponse {
		return nil
	}
	var code stun.ErrorCodeAttribute
	if code.GetFrom(m) != nil {
		return &ServerError{}
	}
	return &ServerError{Code: int(code.Code),
		Reason: string(code.Reason[:min(len(code.Reason), reasonMax)])}
}

// request asks the server and returns its answer of success. patience is how long to wait for
// an answer. The error is a *ServerError, ErrNoAnswer, ErrBusy, that of the context, or one of
// the system.
func (a *Allocation) request(ctx context.Context, patience time.Duration, method stun.Method,
	attrs ...stun.Setter,
) (*stun.Message, error) {
	for retries := 0; ; retries++ {
		m, key, err := a.login.build(method, attrs)
		if err != nil {
			return nil, err
		}
		answer, err := a.ask(ctx, patience, m, key)
		if err != nil {
			return nil, err
		}
		refusal := codeOf(answer)
		if refusal == nil {
			return answer, nil
		}
		// The first request has no credentials, and a nonce serves for a time alone.
		again := refusal.Code == int(stun.CodeStaleNonce) ||
			refusal.Code == int(stun.CodeUnauthorized) && key == nil
		if !again || retries == retriesMax || !a.login.challenge(answer) {
			return nil, refusal
		}
	}
}

// ask sends a request until it is answered, or for as long as patience lasts.
func (a *Allocation) ask(ctx context.Context, patience time.Duration, m *stun.Message,
	key stun.MessageIntegrity,
) (*stun.Message, error) {
	tr, err := a.trans.begin(m, key)
	if err != nil {
		return nil, err
	}
	defer a.trans.end(m)
	ctx, cancel := context.WithTimeoutCause(ctx, patience, ErrNoAnswer)
	defer cancel()
	began, wait := a.now(), firstWait
	again := time.NewTimer(wait)
	defer again.Stop()
	if a.leg.reliable() { // sent once
		again.Stop()
	}
	for {
		if err := a.leg.send(m.Raw); errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		select {
		case answer := <-tr.answer:
			return answer, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-a.done:
			return nil, a.Err()
		case <-again.C:
			if a.faulty.Load() && a.now()-began >= a.refusedPatience() {
				return nil, ErrNoAnswer
			}
			wait *= 2
			again.Reset(wait)
		}
	}
}
