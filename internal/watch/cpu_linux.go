package watch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// readCPU reads the lines of /proc/stat of each processor that is online, in which
// times are in ticks. The line of all of them, the first, will not do: of a
// processor that goes offline the kernel takes the idle time from another clock,
// so that the sum can jump.
func readCPU(r *reading) ([]part, time.Time, error) {
	at := time.Now()
	path := r.host.Proc("stat")
	f, err := os.Open(path)
	if err != nil {
		return nil, at, err
	}
	defer f.Close()
	const longest, most = 1 << 10, 8 << 20 // of a line, and of thousands of processors
	lines := bufio.NewScanner(io.LimitReader(f, most))
	lines.Buffer(nil, longest)
	var parts []part
	for lines.Scan() && strings.HasPrefix(lines.Text(), "cpu") {
		if strings.HasPrefix(lines.Text(), "cpu ") {
			continue
		}
		p, err := parseCPU(lines.Text())
		if err != nil {
			return nil, at, fmt.Errorf("read %s: %w", path, err)
		}
		parts = append(parts, p)
	}
	if err := lines.Err(); err != nil {
		return nil, at, fmt.Errorf("read %s: %w", path, err)
	}
	if len(parts) == 0 {
		return nil, at, fmt.Errorf("read %s: no line of a processor", path)
	}
	return parts, at, nil
}

// parseCPU returns the block's figures of a processor. The columns of the line, as
// proc_stat(5) has them:
//
//	cpu0 user nice system idle iowait irq softirq steal guest guest_nice
func parseCPU(line string) (part, error) {
	const steal = 8
	columns := strings.Fields(line)
	if len(columns) <= steal {
		return part{}, fmt.Errorf("a line is %.60q, want a processor and %d times", line, steal)
	}
	var t [steal + 1]float64
	for i := 1; i <= steal; i++ {
		n, err := strconv.ParseUint(columns[i], 10, 64)
		if err != nil {
			return part{}, fmt.Errorf("the times of %s: %w", columns[0], err)
		}
		t[i] = float64(n)
	}
	return part{
		of:     strings.TrimPrefix(columns[0], "cpu"),
		values: []float64{t[1] + t[2] + t[6] + t[7], t[3], t[4], t[5], t[steal]},
	}, nil
}
