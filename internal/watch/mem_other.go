//go:build !linux

package watch

import (
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/mem"
)

func readMem(r *reading) ([]part, time.Time, error) {
	at := time.Now()
	m, err := mem.VirtualMemoryWithContext(r.ctx)
	if err != nil {
		return nil, at, fmt.Errorf("memory: %w", err)
	}
	// gopsutil takes Sreclaimable for Cached and Shmem for not used.
	return whole(float64(m.Used+m.Shared), float64(m.Free), float64(m.Buffers), float64(m.Cached-m.Sreclaimable)), at, nil
}
