package watch

import (
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/mem"
)

func newMem() Group {
	const meminfo = "/proc/meminfo "
	return Group{Name: "mem", About: "memory, in bytes", Blocks: []*Block{
		{Title: "memory usage", read: readMem, Columns: []Column{
			{Name: "used", Meaning: "by programs and the kernel", Source: meminfo + "MemTotal - MemFree - Buffers - Cached - SReclaimable + Shmem", unit: bytes},
			{Name: "free", Meaning: "by nobody", Source: meminfo + "MemFree", unit: bytes},
			{Name: "buff", Meaning: "buffers", Source: meminfo + "Buffers", unit: bytes},
			{Name: "cach", Meaning: "files in memory", Source: meminfo + "Cached", unit: bytes},
		}},
	}}
}

func readMem(r *reading) ([]float64, time.Time, error) {
	at := time.Now()
	m, err := mem.VirtualMemoryWithContext(r.ctx)
	if err != nil {
		return nil, at, fmt.Errorf("memory: %w", err)
	}
	// gopsutil takes Sreclaimable for Cached and Shmem for not used.
	return []float64{float64(m.Used + m.Shared), float64(m.Free), float64(m.Buffers), float64(m.Cached - m.Sreclaimable)}, at, nil
}
