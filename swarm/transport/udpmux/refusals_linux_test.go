package udpmux

import (
	"bytes"
	"net/netip"
	"testing"
	"time"
)

// A datagram to a port without anybody is reported with its address and its start, as long as
// somebody watches. What is sent to others meanwhile goes out.
func TestRefusals(t *testing.T) {
	for _, network := range []string{"udp4", "udp6"} {
		addr := map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network]
		t.Run(network, func(t *testing.T) {
			from, to := New(listen(t, network, addr)), New(listen(t, network, addr))
			defer from.Close()
			defer to.Close()
			elsewhere := addr
			if network == "udp4" {
				elsewhere = "127.91.7.4:0" // nobody else takes its port meanwhile
			}
			gone := New(listen(t, network, elsewhere))
			nobody := gone.AddrPort()
			gone.Close()

			arrived := make(chan byte, 1000)
			to.Handle(ClassUTP, func(batch []Datagram) {
				for _, d := range batch {
					arrived <- d.Data[headerSize]
				}
			})
			type report struct {
				to   netip.AddrPort
				data []byte
			}
			reports := make(chan report, 1000)
			watch := func(r Refusal) { reports <- report{r.To, bytes.Clone(r.Data)} }
			if err := from.WatchRefusals(watch); err != nil {
				t.Fatal(err)
			}
			data := make([]byte, headerSize+1)
			data[0] = 0x41
			const count = 50
			for i := range byte(count) {
				data[headerSize] = i
				_, err := from.Send([]Outgoing{{To: nobody, Data: data},
					{To: to.AddrPort(), Data: data}})
				if err != nil {
					t.Fatalf("datagram %d: %v", i, err)
				}
			}
			for i := range byte(count) {
				if got := <-arrived; got != i {
					t.Fatalf("datagram %d arrived, want %d", got, i)
				}
			}
			var r report // the system may limit how many there are
			select {
			case r = <-reports:
			case <-time.After(time.Minute):
				t.Fatal("no report")
			}
			if r.to != nobody || !bytes.Equal(r.data[:headerSize], data[:headerSize]) {
				t.Errorf("%v refused %x, want %v", r.to, r.data, nobody)
			}

			if err := from.WatchRefusals(nil); err != nil {
				t.Fatal(err)
			}
			// What is read later comes after all reports.
			from.Send([]Outgoing{{To: nobody, Data: data}})
			heard := make(chan bool, 1)
			from.Handle(ClassUTP, func([]Datagram) { heard <- true })
			to.Send([]Outgoing{{To: from.AddrPort(), Data: data}})
			select {
			case <-heard:
			case <-time.After(time.Minute):
				t.Error("nothing arrives after the end of the watch")
			}
		})
	}
}
