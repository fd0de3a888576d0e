package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A leg is the path to the server. It is safe for concurrent use.
type leg interface {
	// send sends one message, padded to a multiple of four bytes if reliable. It keeps
	// nothing of b, and hardly waits for room: a message without room is lost. Only
	// net.ErrClosed means that nothing can be sent any more.
	send(b []byte) error
	// reliable reports whether what is sent arrives, or the leg breaks.
	reliable() bool
	// close ends the leg, and waits until nothing of it runs any more.
	close()
}

// faultsMax is how many reads may fail in a row before a socket counts as broken.
const faultsMax = 64

// A datagramLeg is a UDP socket of the allocation's own. It is connected, so the system
// reports when nobody listens at the server's port any more.
type datagramLeg struct {
	conn   net.Conn
	closed atomic.Bool
	reader sync.WaitGroup
}

// newDatagramLeg starts the reader of a leg: arrived gets each message, and is done with it
// when it returns; refused is called when the system reports that nobody listens there.
func newDatagramLeg(conn net.Conn, arrived func([]byte), refused func()) *datagramLeg {
	l := &datagramLeg{conn: conn}
	l.reader.Go(func() {
		buf := make([]byte, frameMax)
		for faults := 0; !l.closed.Load() && faults < faultsMax; {
			n, err := conn.Read(buf)
			switch {
			case err == nil:
				faults = 0
				arrived(buf[:n])
			case errors.Is(err, net.ErrClosed):
				return
			default:
				faults++
				if errors.Is(err, syscall.ECONNREFUSED) {
					refused()
				}
			}
		}
	})
	return l
}

const (
	// sendWait bounds how long a socket waits for room.
	sendWait = 2 * time.Millisecond
	// sendTries is how often it does. The time also passes while a busy machine lets others
	// run, and then nothing has been tried.
	sendTries = 3
)

// sendSoon calls write, which sends a datagram on a socket, until it does not run out of time.
func sendSoon(socket interface{ SetWriteDeadline(time.Time) error }, write func() error) error {
	for try := 1; ; try++ {
		_ = socket.SetWriteDeadline(time.Now().Add(sendWait))
		if err := write(); try == sendTries || !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
}

func (l *datagramLeg) send(b []byte) error {
	return sendSoon(l.conn, func() error {
		_, err := l.conn.Write(b)
		return err
	})
}

func (l *datagramLeg) reliable() bool { return false }

func (l *datagramLeg) close() {
	l.closed.Store(true)
	l.conn.Close()
	l.reader.Wait()
}

const (
	// streamRoom bounds the bytes that wait to be written to a stream. What finds no room is
	// lost, as on a link that is full: uTP slows down.
	streamRoom = 64 << 10
	// streamBuffer is what the system is asked to keep of a stream on its way, in bytes.
	streamBuffer = 128 << 10
	// streamStall is how long a server may take nothing.
	streamStall = 10 * time.Second
)

// A streamLeg is a TCP connection to the server (RFC 8656, section 2.1). A goroutine reads it
// and another one writes, so that senders never wait.
type streamLeg struct {
	conn net.Conn
	runs sync.WaitGroup
	wake chan struct{} // holds a token while something waits to be written
	gone chan struct{} // closed by end

	mu      sync.Mutex
	waiting []byte // whole messages
	spare   []byte // the buffer that is not in use
	closed  bool
}

// newStreamLeg starts the reader and the writer of a leg. arrived gets each message, and is
// done with it when it returns; broken is called when the connection has ended by itself.
func newStreamLeg(conn net.Conn, arrived func([]byte), broken func(error)) *streamLeg {
	l := &streamLeg{conn: conn, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(streamBuffer)
	}
	l.runs.Go(func() {
		err := readFrames(conn, arrived)
		if l.end() {
			broken(err)
		}
	})
	l.runs.Go(l.write)
	return l
}

// readFrames splits a stream into messages.
func readFrames(r io.Reader, each func([]byte)) error {
	buf, held := make([]byte, 16<<10), 0
	for {
		n, err := r.Read(buf[held:])
		if err != nil {
			return err
		}
		held += n
		rest := buf[:held]
		for {
			size, err := frameSize(rest)
			if err != nil {
				return err
			}
			if size == 0 || size > len(rest) {
				break
			}
			each(rest[:size])
			rest = rest[size:]
		}
		held = copy(buf, rest)
	}
}

// write writes what waits until the leg ends.
func (l *streamLeg) write() {
	for {
		select {
		case <-l.gone:
			return
		case <-l.wake:
		}
		l.mu.Lock()
		batch := l.waiting
		l.waiting, l.spare = l.spare[:0], nil
		l.mu.Unlock()
		_ = l.conn.SetWriteDeadline(time.Now().Add(streamStall))
		if _, err := l.conn.Write(batch); err != nil {
			l.conn.Close() // the reader says so
			return
		}
		l.mu.Lock()
		l.spare = batch
		l.mu.Unlock()
	}
}

func (l *streamLeg) send(b []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	if len(l.waiting)+len(b) > streamRoom {
		return nil
	}
	l.waiting = append(l.waiting, b...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

func (l *streamLeg) reliable() bool { return true }

// end marks the leg as ended, and reports whether it was not before.
func (l *streamLeg) end() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.closed = true
	close(l.gone)
	return true
}

func (l *streamLeg) close() {
	l.end()
	l.conn.Close()
	l.runs.Wait()
}
