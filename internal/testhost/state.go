//go:build linux

package testhost

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// Version is the IP version of a socket.
type Version int

// The versions.
const (
	IPv4   Version = iota
	IPv6           // and never IPv4: sockets have IPV6_V6ONLY
	Mapped         // an IPv6 socket that talks IPv4, through addresses like ::ffff:10.77.0.1
)

// String returns the name of the constant, for subtests to be named by.
func (v Version) String() string {
	return [...]string{"IPv4", "IPv6", "Mapped"}[v]
}

// State is a TCP state by the kernel's name. Two of the kernel's names stand for sockets of two kinds; the kinds that
// are harder to come by have a suffix here, which a [Sock]'s State has not.
type State string

// The states.
const (
	Established State = "ESTABLISHED"
	SynSent     State = "SYN_SENT"
	SynRecv     State = "SYN_RECV"
	FinWait1    State = "FIN_WAIT1"
	FinWait2    State = "FIN_WAIT2"
	TimeWait    State = "TIME_WAIT"
	Close       State = "CLOSE" // what the UDP tables call a socket that is not connected
	CloseWait   State = "CLOSE_WAIT"
	LastAck     State = "LAST_ACK"
	Listen      State = "LISTEN"
	Closing     State = "CLOSING"

	// EstablishedQueued waits to be accepted. No process holds it, so it has no inode.
	EstablishedQueued State = "ESTABLISHED/queued"

	// FinWait2Orphan has been closed by its process, and the kernel keeps as little of it as of a TIME_WAIT.
	FinWait2Orphan State = "FIN_WAIT2/orphan"
)

// codes are the kernel's numbers for the states.
var codes = map[State]uint8{
	Established: unix.BPF_TCP_ESTABLISHED,
	SynSent:     unix.BPF_TCP_SYN_SENT,
	SynRecv:     unix.BPF_TCP_SYN_RECV,
	FinWait1:    unix.BPF_TCP_FIN_WAIT1,
	FinWait2:    unix.BPF_TCP_FIN_WAIT2,
	TimeWait:    unix.BPF_TCP_TIME_WAIT,
	Close:       unix.BPF_TCP_CLOSE,
	CloseWait:   unix.BPF_TCP_CLOSE_WAIT,
	LastAck:     unix.BPF_TCP_LAST_ACK,
	Listen:      unix.BPF_TCP_LISTEN,
	Closing:     unix.BPF_TCP_CLOSING,
}

// kernel returns the state under which the kernel shows a socket.
func (s State) kernel() State {
	name, _, _ := strings.Cut(string(s), "/")
	return State(name)
}

// await waits until the kernel shows the flow's socket in a state. It asks the socket itself where there is one. Those
// without a descriptor it looks for in /proc, which costs the more the more sockets there are.
func (f *flow) await(fd int, state State) {
	h := f.h
	h.t.Helper()
	code := codes[state.kernel()]
	h.until(fmt.Sprintf("%v to %v in state %s", f.host, f.peer, state), func() bool {
		if fd < 0 {
			return f.listed(code)
		}
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		h.must("TCP_INFO", err)
		return info.State == code
	})
}

// listed reports whether /proc lists the flow in a state. It goes by the ports alone, which tell one flow from another.
func (f *flow) listed(code uint8) bool {
	f.h.t.Helper()
	name := "/proc/self/net/tcp"
	if f.v != IPv4 {
		name += "6"
	}
	table, err := os.ReadFile(name)
	f.h.must("list sockets", err)
	local, remote := fmt.Sprintf(":%04X", f.host.Port()), fmt.Sprintf(":%04X", f.peer.Port())
	st := fmt.Sprintf("%02X", code)
	for line := range strings.Lines(string(table)) {
		row := strings.Fields(line) // 0: 01004D0A:0050 02004D0A:4E21 03 ...
		if strings.HasSuffix(row[1], local) && strings.HasSuffix(row[2], remote) && row[3] == st {
			return true
		}
	}
	return false
}
