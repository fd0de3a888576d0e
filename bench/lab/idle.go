//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"time"

	"swarmnode/internal/lab"
	"swarmnode/swarm/transport/utp"
)

const (
	idleTitle = "uTP connections that nobody uses, both ends in one process"
	idleConns = 1000
	idleFor   = time.Minute
	// idleRest is how long the connections rest before the minute begins.
	idleRest = 5 * time.Second
)

// measureIdle tells what idle uTP connections cost in memory and packets. It measures the
// transport alone, so there is one contender.
func measureIdle(ctx context.Context, _ options, _ []contender) error {
	return inLab(func(l *lab.Lab, _ string) error {
		way := lab.Way{Rate: 100, Delay: 10 * time.Millisecond}
		near, err := l.Modelled("near", way, way)
		if err != nil {
			return err
		}
		far, err := l.Modelled("far", lab.Way{}, lab.Way{})
		if err != nil {
			return err
		}
		var ends [2]*utp.Socket
		for i, h := range []*lab.Host{near, far} {
			if err := h.Do(func() (err error) {
				ends[i], err = utp.Listen(ctx, netip.AddrPortFrom(h.Addr, port), utp.Config{})
				return err
			}); err != nil {
				return err
			}
			defer ends[i].Close()
		}
		before := heap()
		var conns []net.Conn
		defer func() {
			for _, c := range conns {
				c.Close()
			}
		}()
		for range idleConns {
			a, b, err := pair(ctx, ends[0], ends[1])
			if err != nil {
				return err
			}
			conns = append(conns, a, b)
		}
		if err := pause(ctx, idleRest); err != nil {
			return err
		}
		sent, came := near.Up(), near.Down()
		if err := pause(ctx, idleFor); err != nil {
			return err
		}
		packets := near.Up().Packets - sent.Packets + near.Down().Packets - came.Packets
		fmt.Printf("%d connections: %.1f KiB of memory and %.1f packets a minute for each end\n",
			idleConns, float64(heap()-before)/1024/(2*idleConns),
			float64(packets)/(2*idleConns))
		return nil
	})
}

// pair makes a connection and moves one byte each way.
func pair(ctx context.Context, from, to *utp.Socket) (a, b net.Conn, err error) {
	if a, err = from.Dial(ctx, to.AddrPort()); err != nil {
		return nil, nil, err
	}
	if _, err := a.Write([]byte{1}); err != nil {
		return nil, nil, err
	}
	if b, err = to.Accept(); err != nil {
		return nil, nil, err
	}
	var p [1]byte
	_, first := b.Read(p[:])
	_, second := b.Write(p[:])
	_, third := a.Read(p[:])
	return a, b, errors.Join(first, second, third)
}

// heap returns the bytes in use, of objects and stacks.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
