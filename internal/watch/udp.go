package watch

import "github.com/l4stat/l4stat/netstat/socket"

func newUDP() Group {
	return Group{Name: "udp", About: "UDP sockets, and datagrams per second", Blocks: []*Block{
		{Title: "udp", sockets: &udpCounter{}, Columns: []Column{
			{Name: "lis", Meaning: "sockets that are not connected", Source: fromSockets},
			{Name: "act", Meaning: "sockets that are connected", Source: fromSockets},
		}},
		{Title: "udp per second", added: true, read: fromCounters("udp", "in_datagrams", "out_datagrams", "in_errors"), Columns: []Column{
			{Name: "in", Meaning: "datagrams received", Source: snmp + "Udp: InDatagrams, /proc/net/snmp6 Udp6InDatagrams", kind: rate},
			{Name: "out", Meaning: "datagrams sent", Source: snmp + "Udp: OutDatagrams, /proc/net/snmp6 Udp6OutDatagrams", kind: rate},
			{Name: "err", Meaning: "datagrams dropped, a full receive buffer above all", Source: snmp + "Udp: InErrors, /proc/net/snmp6 Udp6InErrors", kind: rate},
		}},
	}}
}

// udpCounter counts sockets, in the order of the columns.
type udpCounter struct{ n [2]int }

func (c *udpCounter) tables() []socket.Table { return []socket.Table{socket.UDP4, socket.UDP6} }
func (c *udpCounter) reset()                 { *c = udpCounter{} }
func (c *udpCounter) values() []float64      { return floats(c.n[:]) }

func (c *udpCounter) count(s *socket.Socket) {
	switch {
	case s.Protocol != socket.UDP:
	case s.State == socket.StateEstablished:
		c.n[1]++
	default:
		c.n[0]++
	}
}
