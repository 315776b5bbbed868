package watch

func newCPU() Group {
	const stat = "/proc/stat cpu "
	return Group{Name: "cpu", About: "time of all processors, in percent", Blocks: []*Block{
		{Title: "total cpu usage", read: readCPU, Columns: []Column{
			{Name: "usr", Meaning: "programs, and as in dstat interrupts", Source: stat + "user, nice, irq, softirq", kind: share, unit: percent},
			{Name: "sys", Meaning: "the kernel for programs", Source: stat + "system", kind: share, unit: percent},
			{Name: "idl", Meaning: "idle", Source: stat + "idle", kind: share, unit: percent},
			{Name: "wai", Meaning: "idle, waiting for disks", Source: stat + "iowait", kind: share, unit: percent},
			{Name: "stl", Meaning: "taken by the hypervisor for others", Source: stat + "steal", kind: share, unit: percent},
		}},
	}}
}
