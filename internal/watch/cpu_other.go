//go:build !linux

package watch

import (
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
)

func readCPU(r *reading) ([]float64, time.Time, error) {
	at := time.Now()
	times, err := cpu.TimesWithContext(r.ctx, false)
	if err == nil && len(times) == 0 {
		err = errSystem
	}
	if err != nil {
		return nil, at, fmt.Errorf("processor times: %w", err)
	}
	t := times[0]
	return []float64{t.User + t.Nice + t.Irq + t.Softirq, t.System, t.Idle, t.Iowait, t.Steal}, at, nil
}
