package watch

func newCPU() Group {
	const stat = "/proc/stat cpu "
	it := &items{
		what: "processor",
		title: func(name string) string {
			if name == Total {
				return "total cpu usage"
			}
			return "cpu" + name + " usage"
		},
		read: readCPU,
	}
	return Group{Name: "cpu", Short: "c", About: "time of all processors, in percent", items: it, Blocks: []*Block{
		{Title: it.title(Total), read: it.readTotal, Columns: []Column{
			{Name: "usr", Meaning: "programs, and as in dstat interrupts", Source: stat + "user, nice, irq, softirq", kind: share, unit: percent},
			{Name: "sys", Meaning: "the kernel for programs", Source: stat + "system", kind: share, unit: percent},
			{Name: "idl", Meaning: "idle", Source: stat + "idle", kind: share, unit: percent},
			{Name: "wai", Meaning: "idle, waiting for disks", Source: stat + "iowait", kind: share, unit: percent},
			{Name: "stl", Meaning: "taken by the hypervisor for others", Source: stat + "steal", kind: share, unit: percent},
		}},
	}}
}
