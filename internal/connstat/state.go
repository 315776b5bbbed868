package connstat

import (
	"net/netip"
	"strings"

	"github.com/l4stat/l4stat/netstat/socket"
)

const bound = "BOUND"

// stateName gives connstat's name of a state, which is not always the kernel's.
func stateName(s socket.State) string {
	switch s {
	case socket.StateSynRecv:
		return "SYN_RECEIVED"
	case socket.StateFinWait1:
		return "FIN_WAIT_1"
	case socket.StateFinWait2:
		return "FIN_WAIT_2"
	case socket.StateClose:
		return "CLOSED"
	default:
		return s.String()
	}
}

// StateNames are the names of the states as they are printed.
func StateNames() []string {
	names := []string{bound}
	for s := socket.StateEstablished; int(s) < socket.NumStates; s++ {
		names = append(names, stateName(s))
	}
	return names
}

// parseState reads a state in any spelling. A socket in BOUND is in StateClose.
// No system lists one that is IDLE, which is neither bound nor connected, and
// Linux none that is CLOSED.
func parseState(name string) (s socket.State, isBound, ok bool) {
	switch strings.ToUpper(name) {
	case bound:
		return socket.StateClose, true, true
	case "IDLE":
		return socket.StateClose, false, true
	}
	s, ok = socket.ParseState(name)
	return s, false, ok
}

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.IsValid() {
		return b
	}
	return a.AppendTo(b)
}
