package netstat

import (
	"net/netip"

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

var fieldKeys = [numFields]string{
	"tcp_established", "tcp_syn_sent", tcpSynRecv: "tcp_syn_recv", "tcp_fin_wait1", "tcp_fin_wait2", "tcp_time_wait",
	"tcp_close", "tcp_close_wait", "tcp_last_ack", tcpListen: "tcp_listen", "tcp_closing",
	tcpNone: "tcp_none", udpSocket: "udp_socket",
}

// fieldPID is the field of netstat_port that is no count.
const fieldPID = "pid"

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
