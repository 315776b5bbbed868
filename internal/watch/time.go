package watch

import "time"

func newTime() Group {
	return Group{Name: "time", Short: "t", About: "the time of each line", Blocks: []*Block{
		{Title: "system", read: readTime, Columns: []Column{
			{Name: "time", Meaning: "day-month and time, local", Source: "the clock", unit: clock},
		}},
	}}
}

func newEpoch() Group {
	return Group{Name: "epoch", Short: "T", About: "the time of each line, in seconds since 1970", Blocks: []*Block{
		{Title: "epoch", read: readTime, Columns: []Column{
			{Name: "epoch", Meaning: "seconds since 1970", Source: "the clock", unit: epoch},
		}},
	}}
}

func readTime(*reading) ([]part, time.Time, error) {
	at := time.Now()
	return whole(float64(at.UnixNano()) / 1e9), at, nil
}
