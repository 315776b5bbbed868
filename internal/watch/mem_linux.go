package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/guard"
)

func readMem(r *reading) ([]part, time.Time, error) {
	at := time.Now()
	all, err := procfs.NewFS(r.host.Proc())
	if err != nil {
		return nil, at, err
	}
	path := r.host.Proc("meminfo")
	info, err := guard.Parse(all.Meminfo)
	if err != nil {
		return nil, at, fmt.Errorf("read %s: %w", path, err)
	}
	var missing []string
	figure := func(name string, bytes *uint64) float64 {
		if bytes == nil {
			missing = append(missing, name)
			return unknown
		}
		return float64(*bytes)
	}
	free, buffers, cached := figure("MemFree", info.MemFreeBytes), figure("Buffers", info.BuffersBytes), figure("Cached", info.CachedBytes)
	used := figure("MemTotal", info.MemTotalBytes) - free - buffers - cached -
		figure("SReclaimable", info.SReclaimableBytes) + figure("Shmem", info.ShmemBytes)
	if len(missing) > 0 {
		err = fmt.Errorf("%s does not have %s", path, strings.Join(missing, ", "))
	}
	return whole(used, free, buffers, cached), at, err
}
