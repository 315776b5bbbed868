//go:build !linux

package watch

import (
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/mem"
)

func readMem(r *reading) ([]float64, time.Time, error) {
	at := time.Now()
	m, err := mem.VirtualMemoryWithContext(r.ctx)
	if err != nil {
		return nil, at, fmt.Errorf("memory: %w", err)
	}
	// gopsutil takes Sreclaimable for Cached and Shmem for not used.
	return []float64{float64(m.Used + m.Shared), float64(m.Free), float64(m.Buffers), float64(m.Cached - m.Sreclaimable)}, at, nil
}
