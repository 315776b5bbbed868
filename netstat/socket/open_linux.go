package socket

var openers = map[string]opener{
	Auto:     newAuto,
	Netlink:  func(o Options) Source { return newNetlink(o) },
	Procfs:   func(o Options) Source { return openProcfs(o) },
	Gopsutil: newGopsutil,
}
