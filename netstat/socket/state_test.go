package socket

import "testing"

func TestParseState(t *testing.T) {
	// The spellings of each system: Windows by gopsutil (net_windows.go,
	// tcpStatuses), macOS and FreeBSD by lsof (dialects' dsock.c), Linux by
	// gopsutil and by ss.
	systems := map[string]map[string]State{
		"linux": {
			"ESTABLISHED": StateEstablished, "SYN_SENT": StateSynSent, "SYN_RECV": StateSynRecv, "FIN_WAIT1": StateFinWait1,
			"FIN_WAIT2": StateFinWait2, "TIME_WAIT": StateTimeWait, "CLOSE": StateClose, "CLOSE_WAIT": StateCloseWait,
			"LAST_ACK": StateLastAck, "LISTEN": StateListen, "CLOSING": StateClosing,
		},
		"windows": {
			"CLOSED": StateClose, "LISTEN": StateListen, "SYN_SENT": StateSynSent, "SYN_RECEIVED": StateSynRecv,
			"ESTABLISHED": StateEstablished, "FIN_WAIT_1": StateFinWait1, "FIN_WAIT_2": StateFinWait2, "CLOSE_WAIT": StateCloseWait,
			"CLOSING": StateClosing, "LAST_ACK": StateLastAck, "TIME_WAIT": StateTimeWait, "DELETE": StateClose,
		},
		"darwin and freebsd": {
			"CLOSED": StateClose, "LISTEN": StateListen, "SYN_SENT": StateSynSent, "SYN_RCDV": StateSynRecv, "SYN_RCVD": StateSynRecv,
			"ESTABLISHED": StateEstablished, "CLOSE_WAIT": StateCloseWait, "FIN_WAIT_1": StateFinWait1, "CLOSING": StateClosing,
			"LAST_ACK": StateLastAck, "FIN_WAIT_2": StateFinWait2, "TIME_WAIT": StateTimeWait,
		},
		"ss": {
			"ESTAB": StateEstablished, "SYN-SENT": StateSynSent, "SYN-RECV": StateSynRecv, "FIN-WAIT-1": StateFinWait1,
			"FIN-WAIT-2": StateFinWait2, "TIME-WAIT": StateTimeWait, "UNCONN": StateClose, "CLOSE-WAIT": StateCloseWait,
			"LAST-ACK": StateLastAck, "LISTEN": StateListen, "CLOSING": StateClosing, "fin-wait-1": StateFinWait1,
		},
	}
	for system, states := range systems {
		t.Run(system, func(t *testing.T) {
			seen := map[State]bool{}
			for name, want := range states {
				got, ok := ParseState(name)
				if got != want || !ok {
					t.Errorf("ParseState(%q) = %v, %v; want %v", name, got, ok, want)
				}
				seen[got] = true
			}
			if len(seen) != NumStates-1 {
				t.Errorf("the table has %d states, want all %d", len(seen), NumStates-1)
			}
		})
	}
	for _, name := range []string{"", "NONE", "BOUND", "ESTABLISHED2"} {
		if got, ok := ParseState(name); ok || got != StateNone {
			t.Errorf("ParseState(%q) = %v, %v; want no state", name, got, ok)
		}
	}
}

func TestStateString(t *testing.T) {
	for s := StateEstablished; int(s) < NumStates; s++ {
		if got, ok := ParseState(s.String()); got != s || !ok {
			t.Errorf("state %d is called %q, which is read as %d", s, s, got)
		}
	}
	for _, s := range []State{StateNone, 99} {
		if s.String() != "NONE" {
			t.Errorf("state %d is called %q, want NONE", s, s)
		}
	}
}

func TestStateSet(t *testing.T) {
	set := States(StateListen, StateTimeWait)
	for s := StateNone; int(s) < NumStates; s++ {
		if want := s == StateListen || s == StateTimeWait; set.Has(s) != want {
			t.Errorf("%v in the set: %v, want %v", s, !want, want)
		}
		if !StateSet(0).Has(s) {
			t.Errorf("%v is not in the empty set, which is all", s)
		}
	}
}
