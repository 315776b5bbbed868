package watch

func newSocket() Group {
	const sockstat, both = "/proc/net/sockstat ", "; IPv6 in sockstat6"
	return Group{Name: "socket", About: "sockets that are in use", Blocks: []*Block{
		{Title: "sockets", read: readSockstat, Columns: []Column{
			{Name: "tot", Meaning: "of every kind, Unix sockets included", Source: sockstat + "sockets: used"},
			{Name: "tcp", Meaning: "TCP, without TIME_WAIT and SYN_RECV; dstat has IPv4 only, as in all that follow", Source: sockstat + "TCP: inuse" + both},
			{Name: "udp", Meaning: "UDP", Source: sockstat + "UDP: inuse" + both},
			{Name: "raw", Meaning: "raw", Source: sockstat + "RAW: inuse" + both},
			{Name: "frg", Meaning: "fragments that wait for the rest of their packets", Source: sockstat + "FRAG: inuse" + both},
		}},
	}}
}
