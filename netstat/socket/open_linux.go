package socket

var openers = map[string]opener{
	Auto:     newAuto,
	Netlink:  func(Options) Source { return NewNetlink(dial) },
	Procfs:   func(o Options) Source { return newProcfs(o.procRoot()) },
	Gopsutil: newGopsutil,
}
