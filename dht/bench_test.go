package dht

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"swarmnode/metainfo/bencode"
)

// BenchmarkParse scans one packet.
func BenchmarkParse(b *testing.B) {
	packet := []byte(queryPacket("get_peers", target("info_hash", someHash)))
	var r bencode.Reader
	var m message
	b.ReportAllocs()
	for b.Loop() {
		if err := m.parse(&r, packet); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnswer measures the core's part of an answer: from packet to packet.
func BenchmarkAnswer(b *testing.B) {
	for _, method := range []string{"ping", "find_node", "get_peers", "get"} {
		b.Run(method, func(b *testing.B) {
			w := newBench(b, coreConfig{router: true,
				limits: Limits{ReplyBytes: 1 << 30, QueriesIn: 1 << 30, QueriesInBurst: 1 << 30}})
			w.fill(2000)
			w.core.send = func(netip.AddrPort, []byte) {}
			body := ""
			switch method {
			case "get_peers":
				body = target("info_hash", someHash)
			case "find_node", "get":
				body = target("target", someHash)
			}
			packet := []byte(queryPacket(method, body))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.now += time.Microsecond
				w.core.receive(w.now, publicAddr(i%1000), packet)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
		})
	}
}

// BenchmarkQueries runs a bootstrap node on a real socket: a client asks find_node from
// 64 sockets and counts the answers. Client and node share the processors, so the node
// alone could answer more.
func BenchmarkQueries(b *testing.B) {
	pc, err := net.ListenUDP("udp4",
		net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		b.Fatal(err)
	}
	defer pc.Close()
	n, err := New(Config{Conns: []net.PacketConn{pc}, Router: true,
		Limits: Limits{QueriesIn: 1 << 30, QueriesInBurst: 1 << 30}})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	rng := rand.New(rand.NewPCG(1, 1))
	n.call(func(c *core, now instant) {
		for i := range 2000 {
			c.families[v4].table.answered(now, randomID(rng), publicAddr(i), time.Millisecond)
		}
	})
	const window = 64
	packet := []byte(queryPacket("find_node", target("target", someHash)))
	// Read-only nodes are not pinged, so the figure counts only answers.
	packet = append(packet[:len(packet)-len("1:t2:aa1:y1:qe")], "2:roi1e1:t2:aa1:y1:qe"...)
	client, err := net.DialUDP("udp4", nil, pc.LocalAddr().(*net.UDPAddr))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, packetMax)
	before := processorTime()
	sent := 0
	for b.Loop() {
		for ; sent < window; sent++ {
			if _, err := client.Write(packet); err != nil {
				b.Fatal(err)
			}
		}
		client.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := client.Read(buf); err != nil {
			b.Fatal(err)
		}
		sent--
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "queries/s")
	b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/query")
}

// BenchmarkLookup measures an announce and the lookup that finds it, with the work of
// all nodes, in a network of 1,000 nodes without delay.
func BenchmarkLookup(b *testing.B) {
	s := newSimNet(b, 1)
	s.build(1000, 5*time.Second, time.Minute)
	b.ReportAllocs()
	before := s.sent
	for b.Loop() {
		id := randomID(s.rng)
		s.lookUp(s.anyLive(), id, &announce{port: 1})
		if !s.lookUp(s.anyLive(), id, nil).ok {
			b.Fatal("not found")
		}
	}
	b.ReportMetric(float64(s.sent-before)/float64(b.N), "packets/pair")
}

// BenchmarkIdle measures the cost of an idle node on loopback.
func BenchmarkIdle(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	goroutines := runtime.NumGoroutine()
	const nodes = 200
	var all []*Node
	host := ""
	for range nodes {
		pc := listen(b, "127.0.0.1")
		cfg := Config{Conns: []net.PacketConn{pc}}
		if host != "" {
			cfg.Bootstrap = []string{host}
		} else {
			host = addrOf(pc).String()
		}
		n, err := New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		defer n.Close()
		all = append(all, n)
	}
	for _, n := range all {
		if err := n.Join(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		all[b.N%nodes].Stats()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/nodes/1024, "KiB-heap/node")
	b.ReportMetric(float64(after.StackInuse-before.StackInuse)/nodes/1024, "KiB-stack/node")
	b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/nodes, "goroutines/node")
}

// BenchmarkIdlePackets counts, on the virtual clock, the packets of an idle node.
func BenchmarkIdlePackets(b *testing.B) {
	s := newSimNet(b, 1)
	s.build(500, 10*time.Second, 10*time.Minute)
	before, hours := s.sent, 0.0
	for b.Loop() {
		s.run(15*time.Minute, nil)
		hours += 0.25
	}
	b.ReportMetric(float64(s.sent-before)/500/(hours*3600), "packets/s/node")
}

// BenchmarkStores measures the memory of full stores.
func BenchmarkStores(b *testing.B) {
	var before, after runtime.MemStats
	var s peerStore
	var it itemStore
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		rng := rand.New(rand.NewPCG(1, 1))
		l := Limits{}.withDefaults(false)
		s, it = newPeerStore(l.Hashes, l.Peers), newItemStore(l.Items)
		for i := range l.Hashes {
			for j := range l.Peers {
				s.add(0, ID{}, ID{byte(i), byte(i >> 8)}, publicAddr(i/40+j*100), false, rng)
			}
		}
		for i := range l.Items {
			value := append([]byte("995:"), make([]byte, 995)...)
			value[10], value[11] = byte(i), byte(i>>8)
			it.put(0, ID{}, immutableTarget(value), &message{value: value}, publicAddr(i/20).Addr())
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
	}
	if len(s.swarms) < 1900 || len(it.items) < 690 {
		b.Fatalf("%d info-hashes, %d items", len(s.swarms), len(it.items))
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
	runtime.KeepAlive(&s)
}
