package socket

var openers = map[string]opener{
	Auto:     newAuto,
	Netlink:  func(o Options) Source { return newNetlink(o) },
	Procfs:   func(o Options) Source { return openProcfs(o) },
	Gopsutil: newGopsutil,
}

func openProcfs(o Options) *procfs {
	root := o.host().Proc()
	return &procfs{root: root, incomplete: incomplete{warn: o.Warn, dir: netDir(root)}}
}
