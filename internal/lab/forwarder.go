//go:build linux

package lab

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	packetBytes = 1500    // of a packet of the lab, at most: the MTU
	packetsMax  = 1 << 16 // on one line at a time
	readsMax    = 64      // packets read from one device before others have their turn
	eventsMax   = 64      // devices looked at in one round
	// nap is the least time between two rounds without a packet to read: packets may
	// arrive late by so much, and the thread wakes up less often.
	nap = 200 * time.Microsecond
)

// A forwarder moves packets between the devices of modelled links, on one thread with
// real-time priority so that other load on the machine shifts nothing by a millisecond. An
// arrival time is computed from when a packet was read and not from when the thread had
// time, so a late wake-up delays a packet but does not change the rate.
type forwarder struct {
	epoll, wake int // descriptors: what to wait on, and what ends the wait
	finished    chan struct{}

	mu    sync.Mutex
	begun time.Time
	ends  []*device // by the data of epoll's events; nil where there is none any more
	stop  bool
	spare [][]byte // buffers of packetBytes
	err   error    // why it has ended
}

// A device is a TUN device: one end of a modelled link. line is the way out of it, which
// leads to peer.
type device struct {
	fd   int
	line *line
	peer *device
	nat  *natTable // of the router whose end of the link this is; nil without NAT

	on    []packet // the line, in the order of arrival
	first int      // on[:first] has arrived
}

// A packet is on a line.
type packet struct {
	at   time.Duration // when it arrives
	data []byte
}

func newForwarder() (*forwarder, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("starting the links: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(epoll)
		return nil, fmt.Errorf("starting the links: %w", err)
	}
	f := &forwarder{epoll: epoll, wake: wake, finished: make(chan struct{}), begun: time.Now()}
	if err := f.watch(wake, -1); err != nil {
		unix.Close(epoll)
		unix.Close(wake)
		return nil, err
	}
	go f.run()
	return f, nil
}

func (f *forwarder) watch(fd, number int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(number)}
	if err := unix.EpollCtl(f.epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
		return fmt.Errorf("watching a link: %w", err)
	}
	return nil
}

// tun makes a TUN device in the namespace of the calling process. The device vanishes when
// its descriptor is closed.
func tun(name string) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: "/dev/net/tun", Err: err}
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("making the device %s: %w", name, err)
	}
	return fd, nil
}

// link makes the two devices of a link, both still in the namespace of the process. What
// leaves the device inner goes up, what leaves outer goes down.
func (f *forwarder) link(inner, outer string, up, down Way) (a, b *device, err error) {
	x, err := tun(inner)
	if err != nil {
		return nil, nil, err
	}
	y, err := tun(outer)
	if err != nil {
		unix.Close(x)
		return nil, nil, err
	}
	a, b = &device{fd: x, line: newLine(up)}, &device{fd: y, line: newLine(down)}
	a.peer, b.peer = b, a
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ends = append(f.ends, a, b)
	n := len(f.ends)
	return a, b, errors.Join(f.watch(x, n-2), f.watch(y, n-1))
}

// carrier switches the carrier of a device, as its host sees it.
func (d *device) carrier(on bool) error {
	state := 0
	if on {
		state = 1
	}
	if err := unix.IoctlSetPointerInt(d.fd, unix.TUNSETCARRIER, state); err != nil {
		return fmt.Errorf("switching a carrier: %w", err)
	}
	return nil
}

// tally returns the counts of what left a device. A nil device has none.
func (f *forwarder) tally(d *device) Tally {
	if d == nil {
		return Tally{}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return d.line.tally
}

// close ends the forwarder and its devices. The error says what ended it earlier.
func (f *forwarder) close() error {
	f.mu.Lock()
	f.stop = true
	f.mu.Unlock()
	_, err := unix.Write(f.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	<-f.finished
	for _, d := range f.ends {
		unix.Close(d.fd)
	}
	unix.Close(f.epoll)
	unix.Close(f.wake)
	return errors.Join(f.err, err)
}

// run moves packets until the forwarder is closed.
func (f *forwarder) run() {
	defer close(f.finished)
	runtime.LockOSThread() // and never unlocked: the thread ends with its priority
	hurry()
	var events [eventsMax]unix.EpollEvent
	wait, stop := f.move(nil)
	for !stop {
		n, err := epollWait(f.epoll, events[:], wait)
		if err != nil {
			f.mu.Lock()
			f.err = fmt.Errorf("waiting for packets: %w", err)
			f.mu.Unlock()
			return
		}
		wait, stop = f.move(events[:n])
	}
}

// hurry gives this thread priority over everything else, if the system allows that.
func hurry() {
	const fifo = 1 // SCHED_FIFO
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: fifo, Priority: 1}
	if unix.SchedSetAttr(0, &attr, 0) != nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, -20) // the next best
	}
}

// move reads the packets that wait in the devices of the events, and delivers those that
// have arrived. It returns how long there is nothing else to do, negative for ever, and
// whether the forwarder is to end.
func (f *forwarder) move(events []unix.EpollEvent) (wait time.Duration, stop bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range events {
		if e.Fd >= 0 {
			f.read(f.ends[e.Fd])
		}
	}
	wait = -1
	for _, d := range f.ends {
		if next := f.deliver(d); next >= 0 && (wait < 0 || next < wait) {
			wait = max(next, nap)
		}
	}
	return wait, f.stop
}

// read puts what waits in a device on its line.
func (f *forwarder) read(d *device) {
	for range readsMax {
		buf := f.buffer()
		n, err := unix.Read(d.fd, buf)
		if err != nil || n <= 0 {
			f.spare = append(f.spare, buf)
			return // nothing more, or the device is down
		}
		if what := d.leave(time.Since(f.begun), buf[:n]); what != pass {
			if what == turnBack {
				_, _ = unix.Write(d.fd, buf[:n])
			}
			f.spare = append(f.spare, buf)
			continue
		}
		arrives, ok := d.line.send(time.Since(f.begun), n)
		if !ok || len(d.on)-d.first >= packetsMax {
			f.spare = append(f.spare, buf)
			continue
		}
		d.on = append(d.on, packet{at: arrives, data: buf[:n]})
	}
}

func (f *forwarder) buffer() []byte {
	if n := len(f.spare); n > 0 {
		buf := f.spare[n-1]
		f.spare = f.spare[:n-1]
		return buf
	}
	return make([]byte, packetBytes)
}

// deliver hands over what has arrived at the other end of a device's line. It returns how
// long the next packet takes, negative without one.
func (f *forwarder) deliver(d *device) time.Duration {
	for d.first < len(d.on) {
		p := &d.on[d.first]
		if left := p.at - time.Since(f.begun); left > 0 {
			d.compact()
			return left
		}
		if d.peer.enter(time.Since(f.begun), p.data) == pass {
			_, _ = unix.Write(d.peer.fd, p.data) // a device that is down takes nothing
		}
		f.spare = append(f.spare, p.data[:packetBytes])
		p.data = nil
		d.first++
	}
	d.on, d.first = d.on[:0], 0
	return -1
}

// leave translates a packet that leaves by a device, if there is a NAT before it.
func (d *device) leave(now time.Duration, packet []byte) verdict {
	if d.nat == nil {
		return pass
	}
	return d.nat.leave(now, packet)
}

// enter translates a packet that has arrived at a device, if there is a NAT behind it.
func (d *device) enter(now time.Duration, packet []byte) verdict {
	if d.nat == nil {
		return pass
	}
	return d.nat.enter(now, packet)
}

// translate puts a NAT before a device.
func (f *forwarder) translate(d *device, t *natTable) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d.nat = t
}

// withNAT calls do with the NAT of a device, while no packet is translated. It returns
// ErrNoNAT where there is none.
func (f *forwarder) withNAT(d *device, do func(t *natTable, now time.Duration)) error {
	if d == nil {
		return ErrNoNAT
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if d.nat == nil {
		return ErrNoNAT
	}
	do(d.nat, time.Since(f.begun))
	return nil
}

// compact gives the space of delivered packets back once most of it is unused.
func (d *device) compact() {
	if d.first > 1024 && d.first*2 > len(d.on) {
		n := copy(d.on, d.on[d.first:])
		clear(d.on[n:])
		d.on, d.first = d.on[:n], 0
	}
}

// epollWait is epoll_pwait2(2): epoll_wait(2) with a time-out that is not of whole
// milliseconds. A negative one never ends.
func epollWait(epoll int, events []unix.EpollEvent, timeout time.Duration) (int, error) {
	var until *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		until = &t
	}
	n, _, errno := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epoll),
		uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)),
		uintptr(unsafe.Pointer(until)), 0, 0)
	if errno == unix.EINTR {
		return 0, nil
	}
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
