package counters

var sets = []*Set{tcp, udp, interfaces}
