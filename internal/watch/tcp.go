package watch

import "github.com/l4stat/l4stat/netstat/socket"

const (
	fromSockets = "the kernel's socket tables"
	snmp        = "/proc/net/snmp "
	netstatExt  = "/proc/net/netstat TcpExt: "
)

func newTCP() Group {
	return Group{Name: "tcp", About: "TCP sockets by state, and what TCP did per second", Blocks: []*Block{
		{Title: "tcp sockets", sockets: &tcpCounter{}, Columns: []Column{
			{Name: "lis", Meaning: "LISTEN", Source: fromSockets},
			{Name: "act", Meaning: "ESTABLISHED", Source: fromSockets},
			{Name: "syn", Meaning: "SYN_SENT and SYN_RECV; dstat counts LAST_ACK here as well", Source: fromSockets},
			{Name: "tim", Meaning: "TIME_WAIT", Source: fromSockets},
			{Name: "clo", Meaning: "FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING and CLOSE; dstat leaves LAST_ACK out", Source: fromSockets},
		}},
		{Title: "tcp per second", added: true, read: fromCounters("tcp", "active_opens", "passive_opens", "attempt_fails", "retrans_segs"), Columns: []Column{
			{Name: "open", Meaning: "connections begun here, answered or not", Source: snmp + "Tcp: ActiveOpens", kind: rate},
			{Name: "acpt", Meaning: "connections that peers opened", Source: snmp + "Tcp: PassiveOpens", kind: rate},
			{Name: "fail", Meaning: "connections that ended before they were open, such as refused ones", Source: snmp + "Tcp: AttemptFails", kind: rate},
			{Name: "retr", Meaning: "segments sent again", Source: snmp + "Tcp: RetransSegs", kind: rate},
		}},
	}}
}

// tcpCounter counts sockets by state, in the order of the columns.
type tcpCounter struct{ n [5]int }

// tcpColumn is which column has a state; -1 is none.
var tcpColumn = [socket.NumStates]int{
	socket.StateNone:        -1,
	socket.StateListen:      0,
	socket.StateEstablished: 1,
	socket.StateSynSent:     2,
	socket.StateSynRecv:     2,
	socket.StateTimeWait:    3,
	socket.StateFinWait1:    4,
	socket.StateFinWait2:    4,
	socket.StateCloseWait:   4,
	socket.StateLastAck:     4,
	socket.StateClosing:     4,
	socket.StateClose:       4,
}

func (c *tcpCounter) tables() []socket.Table { return []socket.Table{socket.TCP4, socket.TCP6} }
func (c *tcpCounter) reset()                 { *c = tcpCounter{} }
func (c *tcpCounter) values() []float64      { return floats(c.n[:]) }

func (c *tcpCounter) count(s *socket.Socket) {
	if s.Protocol != socket.TCP {
		return
	}
	if i := tcpColumn[s.State]; i >= 0 {
		c.n[i]++
	}
}

func floats(counts []int) []float64 {
	values := make([]float64, len(counts))
	for i, n := range counts {
		values[i] = float64(n)
	}
	return values
}
