//go:build linux

package load

import (
	"fmt"
	"net/netip"

	"github.com/l4stat/l4stat/netstat/socket"
)

// plan is what one process is to make. Everything follows from it, so that what
// there is can be told without looking.
type plan struct {
	Index   int      // of the process, from 0
	Sockets int      // to hold, listeners included
	Ports   []uint16 // to listen on: the last over IPv6, the others over IPv4
	Churn   bool     // open and close connections until told to stop
}

// How often a kind comes: the connections are mostly established and IPv4.
const (
	everyIPv6       = 5  // one connection in so many is IPv6
	everyHalfClosed = 20 // one in so many is FIN_WAIT2 here and CLOSE_WAIT there

	listeners  = 4 // of a process
	minSockets = listeners + 2
)

// udp is how many UDP sockets there are: two, or one for the number of the rest
// to be even.
func (p plan) udp() int { return 2 - p.Sockets%2 }

func (p plan) connections() int { return (p.Sockets - listeners - p.udp()) / 2 }

func ipv6(connection int) bool       { return connection%everyIPv6 == everyIPv6-1 }
func halfClosed(connection int) bool { return connection%everyHalfClosed == everyHalfClosed/2 }

// address is where a process listens.
func address(index int, ipv6 bool) netip.Addr {
	hi, lo := byte(index>>8), byte(index)
	if ipv6 {
		return netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 14: hi, 15: lo})
	}
	return netip.AddrFrom4([4]byte{127, 1 + hi, lo, 1})
}

// Listener is where the first process that listens on a port does.
func Listener(port uint16) netip.AddrPort {
	i := int(port - FirstPort)
	return netip.AddrPortFrom(address(i/listeners, i%listeners == listeners-1), port)
}

// Kind is a kind of socket as the kernel's tables have it.
type Kind struct {
	Protocol socket.Protocol
	State    socket.State
	IPv6     bool
}

// String gives the kind as in "tcp6 LISTEN".
func (k Kind) String() string {
	version := 4
	if k.IPv6 {
		version = 6
	}
	return fmt.Sprintf("%v%d %v", k.Protocol, version, k.State)
}

// Counts are numbers of sockets.
type Counts map[Kind]int

func (c Counts) add(p plan) {
	c[Kind{socket.UDP, socket.StateClose, false}] += p.udp()
	c[Kind{socket.TCP, socket.StateListen, false}] += listeners - 1
	c[Kind{socket.TCP, socket.StateListen, true}]++
	for i := range p.connections() {
		here, there := socket.StateEstablished, socket.StateEstablished
		if halfClosed(i) {
			here, there = socket.StateFinWait2, socket.StateCloseWait
		}
		c[Kind{socket.TCP, here, ipv6(i)}]++
		c[Kind{socket.TCP, there, ipv6(i)}]++
	}
}
