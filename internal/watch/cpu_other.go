//go:build !linux

package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
)

func readCPU(r *reading) ([]part, time.Time, error) {
	at := time.Now()
	times, err := cpu.TimesWithContext(r.ctx, true)
	if err == nil && len(times) == 0 {
		err = errSystem
	}
	if err != nil {
		return nil, at, fmt.Errorf("processor times: %w", err)
	}
	parts := make([]part, len(times))
	for i, t := range times {
		parts[i] = part{of: strings.TrimPrefix(t.CPU, "cpu"), values: []float64{t.User + t.Nice + t.Irq + t.Softirq, t.System, t.Idle, t.Iowait, t.Steal}}
	}
	return parts, at, nil
}
