package watch

import "time"

func newTime() Group {
	return Group{Name: "time", About: "the time of each line", Blocks: []*Block{
		{Title: "system", Columns: []Column{{Name: "time", Meaning: "day-month and time, local", Source: "the clock", unit: clock}},
			read: func(*reading) ([]float64, time.Time, error) {
				at := time.Now()
				return []float64{float64(at.UnixNano()) / 1e9}, at, nil
			}},
	}}
}
