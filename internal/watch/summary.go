package watch

import (
	"math"
	"time"
)

// Summary is the minimum, the average and the maximum of each column over a run.
type Summary struct {
	Samples int
	Time    time.Duration // from the first to the last

	// By block and column; NaN where nothing was known.
	Min, Avg, Max [][]float64

	blocks []*Block
	weight [][]float64 // what Avg is of
}

func newSummary(blocks []*Block) *Summary {
	s := &Summary{blocks: blocks}
	for _, b := range blocks {
		s.Min = append(s.Min, unknowns(len(b.Columns)))
		s.Avg = append(s.Avg, unknowns(len(b.Columns)))
		s.Max = append(s.Max, unknowns(len(b.Columns)))
		s.weight = append(s.weight, make([]float64, len(b.Columns)))
	}
	return s
}

// add takes a sample in. A rate counts in the average by the time that it is
// over, so that a late sample has its due.
func (s *Summary) add(sample *Sample) {
	s.Samples++
	s.Time += sample.Elapsed
	for i, values := range sample.Values {
		for j, v := range values {
			if math.IsNaN(v) || s.blocks[i].Columns[j].time() {
				continue
			}
			w := 1.0
			if s.blocks[i].Columns[j].kind != gauge {
				w = sample.Elapsed.Seconds()
			}
			if s.weight[i][j] == 0 {
				s.Min[i][j], s.Avg[i][j], s.Max[i][j], s.weight[i][j] = v, v, v, w
				continue
			}
			s.Min[i][j], s.Max[i][j] = min(s.Min[i][j], v), max(s.Max[i][j], v)
			s.weight[i][j] += w
			s.Avg[i][j] += (v - s.Avg[i][j]) * w / s.weight[i][j]
		}
	}
}
