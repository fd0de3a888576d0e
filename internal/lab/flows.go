//go:build linux

package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Flow is a TCP connection between two hosts on which one sends as fast as it can, as
// iperf does. It is safe for concurrent use.
type Flow struct {
	came     atomic.Int64
	ends     []io.Closer
	finished sync.WaitGroup
}

// Flow starts a flow from a host to another one.
func (h *Host) Flow(to *Host) (*Flow, error) {
	f := &Flow{}
	var l net.Listener
	if err := to.Do(func() (err error) {
		l, err = net.Listen("tcp4", netip.AddrPortFrom(to.Addr, 0).String())
		return err
	}); err != nil {
		return nil, err
	}
	defer l.Close()
	d := net.Dialer{Timeout: 10 * time.Second}
	var out net.Conn
	if err := h.Do(func() (err error) {
		out, err = d.Dial("tcp4", l.Addr().String())
		return err
	}); err != nil {
		return nil, err
	}
	in, err := l.Accept()
	if err != nil {
		out.Close()
		return nil, err
	}
	f.ends = []io.Closer{in, out}
	f.finished.Go(func() {
		zeros := make([]byte, 256<<10)
		for {
			if _, err := out.Write(zeros); err != nil {
				return // closed
			}
		}
	})
	f.finished.Go(func() {
		buf := make([]byte, 256<<10)
		for {
			n, err := in.Read(buf)
			f.came.Add(int64(n))
			if err != nil {
				return // closed
			}
		}
	})
	return f, nil
}

// Came returns how many bytes have arrived.
func (f *Flow) Came() int64 { return f.came.Load() }

// Close ends the flow.
func (f *Flow) Close() {
	for _, c := range f.ends {
		c.Close()
	}
	f.finished.Wait()
}

// Rate returns how many Mbit/s of payload a counter of bytes grows by during d. It
// returns early when ctx ends.
func Rate(ctx context.Context, came func() int64, d time.Duration) (float64, error) {
	before, began := came(), time.Now()
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(d):
	}
	return float64(came()-before) * 8 / time.Since(began).Seconds() / 1e6, nil
}

// Pings are round-trip times in rising order, those that were lost as the longest.
type Pings []time.Duration

// lostPing is the round-trip time of a ping that had no answer.
const lostPing = time.Duration(math.MaxInt64)

// At returns the round-trip time that a share of the pings, from 0 to 1, did not exceed.
// It is 0 without pings.
func (p Pings) At(share float64) time.Duration {
	if len(p) == 0 {
		return 0
	}
	return p[min(int(share*float64(len(p))), len(p)-1)]
}

// Lost returns how many pings had no answer.
func (p Pings) Lost() int {
	at, _ := slices.BinarySearch(p, lostPing)
	return len(p) - at
}

const (
	pingInterval = 25 * time.Millisecond
	pingWaitMax  = 2 * time.Second // for the last answers
	echoRequest  = 8               // ICMP types
	echoReply    = 0
)

// Ping sends ICMP echo requests to a host for as long as d, or until ctx ends.
func (h *Host) Ping(ctx context.Context, to *Host, d time.Duration) (Pings, error) {
	var conn net.PacketConn
	if err := h.Do(func() (err error) {
		conn, err = net.ListenPacket("ip4:icmp", h.Addr.String())
		return err
	}); err != nil {
		return nil, fmt.Errorf("pinging: %w", err)
	}
	defer conn.Close()
	count := int(min(d/pingInterval, math.MaxUint16))
	sent := make([]atomic.Int64, count)
	began := time.Now()
	var failed error
	var sending sync.WaitGroup
	sending.Go(func() {
		failed = pingAll(ctx, conn, to, began, sent)
		last := time.Now()
		_ = conn.SetReadDeadline(last.Add(pingWaitMax))
	})
	times := make(Pings, count)
	for i := range times {
		times[i] = lostPing
	}
	var buf [packetBytes]byte
	for left := count; left > 0; {
		n, _, err := conn.ReadFrom(buf[:])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			sending.Wait()
			return nil, fmt.Errorf("pinging: %w", err)
		}
		if n < 8 || buf[0] != echoReply {
			continue
		}
		seq := int(binary.BigEndian.Uint16(buf[6:]))
		if seq < count && times[seq] == lostPing {
			times[seq] = time.Since(began) - time.Duration(sent[seq].Load())
			left--
		}
	}
	sending.Wait()
	slices.Sort(times)
	return times, failed
}

// pingAll sends the pings and records when each went out.
func pingAll(ctx context.Context, conn net.PacketConn, to *Host, began time.Time,
	sent []atomic.Int64) error {
	tick := time.NewTicker(pingInterval)
	defer tick.Stop()
	for seq := range sent {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		request := [16]byte{0: echoRequest, 4: 'l', 5: 'b'}
		binary.BigEndian.PutUint16(request[6:], uint16(seq))
		binary.BigEndian.PutUint16(request[2:], checksum(request[:]))
		sent[seq].Store(int64(time.Since(began)))
		if _, err := conn.WriteTo(request[:], &net.IPAddr{IP: to.Addr.AsSlice()}); err != nil {
			return fmt.Errorf("pinging: %w", err)
		}
	}
	return nil
}

// checksum is the checksum of the internet (RFC 1071) of an even number of bytes.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
