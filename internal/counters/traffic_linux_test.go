package counters

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
)

// checkGrowth compares how much figures grew with how much they should have; those
// not named should not have, unless they are let.
func checkGrowth(t *testing.T, before, after map[string]any, want map[string]int64, let ...string) {
	t.Helper()
	for key, v := range after {
		if slices.Contains(let, key) {
			continue
		}
		if got := v.(int64) - before[key].(int64); got != want[key] {
			t.Errorf("%s grew by %d, want %d", key, got, want[key])
		}
	}
	for key := range want {
		if _, ok := after[key]; !ok {
			t.Errorf("there is no %s", key)
		}
	}
}

// machine are the figures of the whole machine.
var machine = []string{"orphan", "mem"}

// loopbackUp makes loopback usable, over IPv6 too.
func loopbackUp(t *testing.T) {
	t.Helper()
	ip(t, "4", "link set dev lo up")
	until(t, "loopback has its IPv6 address", func() bool {
		l, err := net.Listen("tcp", "[::1]:0")
		return err == nil && l.Close() == nil
	})
}

// TestTCPLive makes known connections on loopback.
func TestTCPLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	loopbackUp(t)
	for _, address := range []string{"127.0.0.1:80", "[::1]:80"} {
		t.Run(address, func(t *testing.T) {
			l, err := net.Listen("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			const accepted, refused = 7, 5
			before := read(t, tcp)[""]
			var conns []net.Conn
			for range accepted {
				client, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				server, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, client, server)
			}
			host, _, _ := net.SplitHostPort(address)
			for range refused {
				if _, err := net.Dial("tcp", net.JoinHostPort(host, "81")); !errors.Is(err, unix.ECONNREFUSED) {
					t.Fatalf("a connection to a closed port: %v", err)
				}
			}
			open := read(t, tcp)[""]
			checkGrowth(t, before, open, map[string]int64{
				"active_opens": accepted + refused, "passive_opens": accepted, "attempt_fails": refused, "curr_estab": 2 * accepted,
				"in_segs": 3*accepted + 2*refused, "out_segs": 3*accepted + 2*refused, "out_rsts": refused,
			}, machine...)

			// A client that resets closes both ends at once.
			for i, c := range conns {
				if i%2 == 0 {
					if err := c.(*net.TCPConn).SetLinger(0); err != nil {
						t.Fatal(err)
					}
					if err := c.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
			until(t, "connections are gone", func() bool { return read(t, tcp)[""]["curr_estab"] == before["curr_estab"] })
			closed := read(t, tcp)[""]
			checkGrowth(t, open, closed, map[string]int64{
				"curr_estab": -2 * accepted, "estab_resets": 2 * accepted, "in_segs": accepted, "out_segs": accepted, "out_rsts": accepted,
			}, machine...)
			for i, c := range conns {
				if i%2 == 1 {
					c.Close()
				}
			}
		})
	}
}

// TestTCPLiveTimeWait closes connections in the way of programs.
func TestTCPLiveTimeWait(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "4", "link set dev lo up")
	l, err := net.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	const n = 6
	for range n {
		client, err := net.Dial("tcp", "127.0.0.1:80")
		if err != nil {
			t.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		server.Close()
	}
	until(t, "the connections are in TIME_WAIT", func() bool { return read(t, tcp)[""]["tw"] == int64(n) })
}

// TestTCPLiveOverflow has a listener that does not accept: the connections that
// its queue has no place for are counted, and their SYNs are sent again.
func TestTCPLiveOverflow(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "4", "link set dev lo up")
	const backlog, more = 3, 4
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	address := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: 80}
	if err := errors.Join(unix.Bind(fd, address), unix.Listen(fd, backlog)); err != nil {
		t.Fatal(err)
	}
	before := read(t, tcp)[""]
	begin := time.Now()
	for i := range backlog + 1 + more { // a queue is full when it has one more than it should
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(client)
		if err := unix.Connect(client, address); !errors.Is(err, unix.EINPROGRESS) {
			t.Fatalf("connection %d: %v", i, err)
		}
	}
	first := read(t, tcp)[""]
	if time.Since(begin) > 900*time.Millisecond {
		t.Log("too slow to look before SYNs are sent again")
	} else {
		checkGrowth(t, before, first, map[string]int64{
			"active_opens": backlog + 1 + more, "passive_opens": backlog + 1, "curr_estab": 2 * (backlog + 1),
			"in_segs": 3*(backlog+1) + more, "out_segs": 3*(backlog+1) + more, "listen_overflows": more, "listen_drops": more,
		}, machine...)
	}
	until(t, "SYNs are sent again", func() bool {
		return read(t, tcp)[""]["tcp_syn_retrans"].(int64) >= before["tcp_syn_retrans"].(int64)+more
	})
	last := read(t, tcp)[""]
	again := last["tcp_syn_retrans"].(int64) - before["tcp_syn_retrans"].(int64)
	checkGrowth(t, before, last, map[string]int64{
		"active_opens": backlog + 1 + more, "passive_opens": backlog + 1, "curr_estab": 2 * (backlog + 1), "tcp_syn_retrans": again,
		"listen_overflows": more + again, "listen_drops": more + again, "retrans_segs": again, "tcp_timeouts": again,
	}, append([]string{"in_segs", "out_segs"}, machine...)...)
}

// TestUDPLive sends known datagrams on loopback.
func TestUDPLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	loopbackUp(t)
	for version, host := range map[string]string{"4": "127.0.0.1", "6": "::1"} {
		other := map[string]string{"4": "6", "6": "4"}[version]
		t.Run("IPv"+version, func(t *testing.T) {
			server, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			client, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			send := func(n, size int, to net.Addr) {
				t.Helper()
				for range n {
					if _, err := client.WriteTo(make([]byte, size), to); err != nil {
						t.Fatal(err)
					}
				}
			}
			const read1, noPort = 9, 4
			all := read(t, udp)
			before := all[version]
			send(read1, 10, server.LocalAddr())
			for range read1 {
				if _, err := server.Read(make([]byte, 100)); err != nil {
					t.Fatal(err)
				}
			}
			send(noPort, 10, &net.UDPAddr{IP: net.ParseIP(host), Port: 9})
			after := read(t, udp)
			checkGrowth(t, before, after[version], map[string]int64{"in_datagrams": read1, "out_datagrams": read1 + noPort, "no_ports": noPort})
			if fmt.Sprint(after[other]) != fmt.Sprint(all[other]) {
				t.Errorf("IPv%s went from %v to %v", other, all[other], after[other])
			}

			// What does not fit in the receive buffer is not delivered; the rest can be
			// read.
			if err := server.SetReadBuffer(1); err != nil { // the kernel has a minimum
				t.Fatal(err)
			}
			const sent = 50
			send(sent, 1000, server.LocalAddr())
			var delivered int64
			if err := server.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			for {
				if _, err := server.Read(make([]byte, 2000)); err != nil {
					break
				}
				delivered++
			}
			lost := sent - delivered
			if lost == 0 {
				t.Fatal("the receive buffer took everything")
			}
			checkGrowth(t, after[version], read(t, udp)[version], map[string]int64{
				"in_datagrams": delivered, "out_datagrams": sent, "in_errors": lost, "rcvbuf_errors": lost,
			})
		})
	}
}
