package netstat

import (
	"net/netip"
	"strings"

	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// counts is how many sockets there are of each kind.
type counts [numFields]int64

// The fields of netstat and netstat_port, in the order in which they are given.
const (
	tcpSynRecv = 2
	tcpListen  = 9
	tcpNone    = 11
	udpSocket  = 12
	numFields  = 13
)

// countDescs describes the fields of netstat and netstat_port, by field.
var countDescs = func() (descs [numFields]metric.Desc) {
	for s := socket.StateEstablished; int(s) < socket.NumStates; s++ {
		descs[s-socket.StateEstablished] = metric.Desc{Key: "tcp_" + strings.ToLower(s.String()), Source: "TCP_" + s.String(), Unit: "sockets"}
	}
	descs[tcpNone] = metric.Desc{Key: "tcp_none", Source: "TCP, in a state that the system does not name", Unit: "sockets"}
	descs[udpSocket] = metric.Desc{Key: "udp_socket", Source: "UDP", Unit: "sockets"}
	return descs
}()

// pidDesc describes the field of netstat_port that is no count.
var pidDesc = metric.Desc{Key: "pid", Source: "/proc/PID/fd: the process that holds the listener, else the oldest socket", Unit: "process"}

// fieldOf tells which field counts a socket. The states stand in the kernel's
// order, which begins with StateEstablished.
func fieldOf(s *socket.Socket) int {
	switch {
	case s.Protocol == socket.UDP:
		return udpSocket
	case s.State == socket.StateNone || int(s.State) >= socket.NumStates:
		return tcpNone
	default:
		return int(s.State - socket.StateEstablished)
	}
}

// protocolOf tells whose sockets a field counts.
func protocolOf(field int) socket.Protocol {
	if field == udpSocket {
		return socket.UDP
	}
	return socket.TCP
}

func (n *counts) any() bool { return *n != counts{} }

// version is the IP version of a socket's address.
type version uint8

const (
	version4 version = iota
	version6
	versionUnknown // the system gave no address
	numVersions
)

var versionTags = [numVersions]string{"4", "6", "unknown"}

func versionOf(addr netip.Addr) version {
	switch {
	case addr.Is4(), addr.Is4In6():
		return version4
	case addr.Is6():
		return version6
	default:
		return versionUnknown
	}
}
