package watch

func newMem() Group {
	const meminfo = "/proc/meminfo "
	return Group{Name: "mem", Short: "m", About: "memory, in bytes", Blocks: []*Block{
		{Title: "memory usage", read: readMem, Columns: []Column{
			{Name: "used", Meaning: "by programs and the kernel", Source: meminfo + "MemTotal - MemFree - Buffers - Cached - SReclaimable + Shmem", unit: bytes},
			{Name: "free", Meaning: "by nobody", Source: meminfo + "MemFree", unit: bytes},
			{Name: "buff", Meaning: "buffers", Source: meminfo + "Buffers", unit: bytes},
			{Name: "cach", Meaning: "files in memory", Source: meminfo + "Cached", unit: bytes},
		}},
	}}
}
