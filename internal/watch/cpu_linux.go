package watch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// readCPU reads the first line of /proc/stat, in which times are in ticks.
func readCPU(r *reading) ([]float64, time.Time, error) {
	at := time.Now()
	path := filepath.Join(r.root, "stat")
	f, err := os.Open(path)
	if err != nil {
		return nil, at, err
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, 1024)).ReadString('\n')
	if err != nil {
		return nil, at, fmt.Errorf("read %s: no line of all processors: %w", path, err)
	}
	values, err := parseCPU(line)
	if err != nil {
		return nil, at, fmt.Errorf("read %s: %w", path, err)
	}
	return values, at, nil
}

// parseCPU returns the block's figures. The columns of the line, as
// proc_stat(5) has them:
//
//	cpu user nice system idle iowait irq softirq steal guest guest_nice
func parseCPU(line string) ([]float64, error) {
	const steal = 8
	columns := strings.Fields(line)
	if len(columns) <= steal || columns[0] != "cpu" {
		return nil, fmt.Errorf("the first line is %.60q, want cpu and %d times", line, steal)
	}
	var t [steal + 1]float64
	for i := 1; i <= steal; i++ {
		n, err := strconv.ParseUint(columns[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the times of all processors: %w", err)
		}
		t[i] = float64(n)
	}
	return []float64{t[1] + t[2] + t[6] + t[7], t[3], t[4], t[5], t[steal]}, nil
}
