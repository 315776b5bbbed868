package socket

import "strings"

// State is a TCP state, numbered as in the kernel's include/net/tcp_states.h.
type State uint8

// The kernel's eleven states. It never lists a TCP socket in StateClose, but
// other systems do. The kernel's TCP_NEW_SYN_RECV is StateSynRecv.
const (
	StateNone State = iota // a state that the system does not name
	StateEstablished
	StateSynSent
	StateSynRecv
	StateFinWait1
	StateFinWait2
	StateTimeWait
	StateClose
	StateCloseWait
	StateLastAck
	StateListen
	StateClosing
)

// NumStates is the number of states, StateNone included: the length of an
// array indexed by State.
const NumStates = int(StateClosing) + 1

var stateNames = [NumStates]string{
	"NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
	"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING",
}

// String gives the kernel's name without its prefix, "ESTABLISHED" for
// TCP_ESTABLISHED, and "NONE" for StateNone.
func (s State) String() string {
	if int(s) >= NumStates {
		s = StateNone
	}
	return stateNames[s]
}

// kernelState turns the number of a state in the kernel's tables into a State.
func kernelState(n uint8) State {
	const newSynRecv = 12 // TCP_NEW_SYN_RECV: a request socket before its ACK
	switch {
	case n == newSynRecv:
		return StateSynRecv
	case int(n) < NumStates:
		return State(n)
	default:
		return StateNone
	}
}

// aliases are the spellings that differ from the kernel's by more than case
// and separators.
var aliases = map[string]State{
	"ESTAB":       StateEstablished, // ss
	"SYNRECEIVED": StateSynRecv,     // Windows
	"SYNRCVD":     StateSynRecv,     // FreeBSD
	"SYNRCDV":     StateSynRecv,     // lsof on macOS and FreeBSD
	"CLOSED":      StateClose,       // Windows, macOS, FreeBSD
	"UNCONN":      StateClose,       // ss
	"DELETE":      StateClose,       // Windows: MIB_TCP_STATE_DELETE_TCB
	"DELETETCB":   StateClose,
}

// ParseState reads the name of a state in any system's spelling, in upper or
// lower case: "FIN_WAIT1", "FIN_WAIT_1", "fin-wait-1", "SYN_RECEIVED",
// "CLOSED". ok is false, and the state StateNone, for any other name.
func ParseState(name string) (s State, ok bool) {
	key := stateKey(name)
	for i, n := range stateNames[1:] {
		if key == stateKey(n) {
			return State(i + 1), true
		}
	}
	s, ok = aliases[key]
	return s, ok
}

var separators = strings.NewReplacer("_", "", "-", "", " ", "")

func stateKey(name string) string { return separators.Replace(strings.ToUpper(name)) }

// StateSet is a set of states: bit n is the state numbered n, as in the
// idiag_states of a sock_diag request. The empty set stands for all.
type StateSet uint16

// States makes a set.
func States(states ...State) StateSet {
	var set StateSet
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// Has reports whether s is in the set; the empty set has every state.
func (set StateSet) Has(s State) bool { return set == 0 || set&(1<<s) != 0 }
