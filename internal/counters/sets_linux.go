package counters

var sets = []*Set{tcp, udp, conntrack, interfaces, routes}
