package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/l4stat/l4stat/internal/kernel"
)

// running runs a scripted group with a clock of its own.
func running(t *testing.T, s *scripted, delay time.Duration, count int, rec *recorder) (warnings []string, err error) {
	t.Helper()
	warn := func(text string) { warnings = append(warnings, text) }
	err = Run(t.Context(), Options{
		Sampler: NewSampler(blocksOf(s.group()), &sockets{}, kernel.At("/proc"), warn),
		Delay:   delay,
		Count:   count,
		Outputs: []Output{rec},
		Warn:    warn,
	})
	return warnings, err
}

// rows gives the figures of samples as text.
func rows(samples []*Sample) []string {
	var all []string
	for _, s := range samples {
		all = append(all, fmt.Sprintf("%v %v", s.Elapsed, s.Values[0]))
	}
	return all
}

func TestRun(t *testing.T) {
	tests := []struct {
		name     string
		readings []float64
		took     []time.Duration
		want     []string // the time since the sample before, the gauge, the rate
		warnings []string
	}{
		{"at the delay", []float64{5, 15, 15, 35}, nil,
			[]string{"0s [5 NaN]", "1s [15 10]", "1s [15 0]", "1s [35 20]"}, nil},
		// The second takes 2.5 s, so that the third is late, at 3.5 s; the fourth is on time again.
		{"late", []float64{0, 10, 60, 65}, []time.Duration{0, 2500 * time.Millisecond},
			[]string{"0s [0 NaN]", "1s [10 10]", "2.5s [60 20]", "500ms [65 10]"},
			[]string{"a late line: its rates are over 2.5s, not 1s"}},
		{"a counter that began anew", []float64{100, 10, 20}, nil,
			[]string{"0s [100 NaN]", "1s [10 NaN]", "1s [20 10]"}, nil},
		{"what cannot be read", []float64{1}, nil,
			[]string{"0s [1 NaN]", "1s [NaN NaN]"}, []string{"--scripted shows - for what cannot be read: no reading is left"}},
		{"longer than the delay for a while", []float64{0, 1, 2, 3, 4}, []time.Duration{0, 1500 * time.Millisecond, 1500 * time.Millisecond},
			[]string{"0s [0 NaN]", "1s [1 1]", "1.5s [2 0.6666666666666666]", "1.5s [3 0.6666666666666666]", "1s [4 1]"}, nil},
		{"longer than the delay from here", []float64{0, 1, 2, 3, 4, 5}, []time.Duration{0, 1200 * time.Millisecond, 1200 * time.Millisecond, 1200 * time.Millisecond},
			[]string{"0s [0 NaN]", "1s [1 1]", "1.2s [2 0.8333333333333334]", "1.2s [3 0.8333333333333334]", "4.2s [4 0.23809523809523808]", "3s [5 0.3333333333333333]"},
			[]string{"samples take 1.2s, so the delay is 3s from here"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rec := &recorder{}
				warnings, err := running(t, &scripted{readings: tt.readings, took: tt.took}, time.Second, len(tt.want), rec)
				if err != nil {
					t.Fatal(err)
				}
				if got := rows(rec.samples); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				}
				if !reflect.DeepEqual(warnings, tt.warnings) {
					t.Errorf("warnings are %q, want %q", warnings, tt.warnings)
				}
			})
		})
	}
}

// TestDelayRefused has a delay that no sample can keep, and one that only the
// first cannot.
func TestDelayRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ms := func(n ...int) (all []time.Duration) {
			for _, n := range n {
				all = append(all, time.Duration(n)*time.Millisecond)
			}
			return all
		}
		rec := &recorder{}
		_, err := running(t, &scripted{readings: make([]float64, 10), took: ms(90, 83, 85, 100, 84)}, 10*time.Millisecond, 3, rec)
		var refused *DelayError
		if !errors.As(err, &refused) || len(rec.samples) > 0 {
			t.Fatalf("the error is %v, after %d rows; want it before any", err, len(rec.samples))
		}
		if want := "delay 0.01: a sample takes 83ms here, with 0 sockets to count; give 0.2 or more"; err.Error() != want {
			t.Errorf("the error is\n%v, want\n%s", err, want)
		}

		s := &scripted{readings: []float64{7, 8, 9}, took: ms(90)}
		if _, err := running(t, s, 10*time.Millisecond, 2, rec); err != nil {
			t.Fatal(err)
		}
		if got, want := rows(rec.samples), []string{"0s [8 NaN]", "10ms [9 100]"}; !reflect.DeepEqual(got, want) {
			t.Errorf("rows are %q, want %q", got, want)
		}
	})
}

// TestRunEnds has the context end a run while it waits, and an output's error.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		rec := &recorder{}
		s := &scripted{readings: []float64{10, 20, 60, 70}}
		run := func(ctx context.Context) error {
			return Run(ctx, Options{Sampler: NewSampler(blocksOf(s.group()), &sockets{}, kernel.At("/proc"), ignore), Delay: time.Second, Outputs: []Output{rec}, Warn: ignore})
		}
		if err := run(ctx); err != nil {
			t.Fatal(err)
		}
		if rec.summary == nil || rec.summary.Samples != 3 || rec.summary.Time != 2*time.Second {
			t.Fatalf("the summary is %+v, want 3 samples over 2 s", rec.summary)
		}
		for i, want := range [][]float64{{10, 10}, {30, 25}, {60, 40}} {
			if got := [][][]float64{rec.summary.Min, rec.summary.Avg, rec.summary.Max}[i][0]; !reflect.DeepEqual(got, want) {
				t.Errorf("%s is %v, want %v", labels[i], got, want)
			}
		}

		rec.summary = nil
		if err := run(ctx); err != nil || rec.summary != nil {
			t.Errorf("a run that cannot begin gives %v and %v, want nothing", err, rec.summary)
		}
		full := errors.New("full")
		rec.row = func(int) error { return full }
		if err := run(t.Context()); err != full || rec.summary != nil {
			t.Errorf("the error is %v, want %v without a summary", err, full)
		}
	})
}

// TestSummaryWeighsTime has a rate over 3 s count three times one over 1 s.
func TestSummaryWeighsTime(t *testing.T) {
	t.Parallel()
	b := []*Block{{Title: "x", Columns: []Column{{Name: "now"}, {Name: "rate", kind: rate}}}}
	s := newSummary(b)
	s.add(&Sample{Values: [][]float64{{1, math.NaN()}}})
	s.add(&Sample{Elapsed: time.Second, Values: [][]float64{{2, 40}}})
	s.add(&Sample{Elapsed: 3 * time.Second, Values: [][]float64{{6, 20}}})
	if want := [][]float64{{3, 25}}; !reflect.DeepEqual(s.Avg, want) {
		t.Errorf("averages are %v, want %v", s.Avg, want)
	}
}

// TestShare has percents of what grew, also when a figure shrinks.
func TestShare(t *testing.T) {
	t.Parallel()
	b := &Block{Columns: []Column{{kind: share}, {kind: share}, {kind: share}}}
	got := figures(b, blockReading{parts: whole(10, 10, 10)}, blockReading{parts: whole(13, 11, 9)})
	if want := []float64{75, 25, 0}; !reflect.DeepEqual(got, want) {
		t.Errorf("shares are %v, want %v", got, want)
	}
}

// TestPartsComeAndGo has each part's growth taken by itself.
func TestPartsComeAndGo(t *testing.T) {
	t.Parallel()
	at := time.Now()
	parts := func(values map[string][]float64) (all []part) {
		for of, v := range values {
			all = append(all, part{of, v})
		}
		return all
	}
	rates := []Column{{kind: rate}, {}}
	shares := []Column{{kind: share}, {kind: share}}
	for _, tt := range []struct {
		name        string
		columns     []Column
		before, now map[string][]float64
		want        []float64
	}{
		{"an interface goes", rates, map[string][]float64{"a": {100, 1}, "b": {50, 1}}, map[string][]float64{"a": {200, 1}}, []float64{50, 1}},
		{"one comes with what it counted elsewhere", rates, map[string][]float64{"a": {100, 1}}, map[string][]float64{"a": {200, 1}, "b": {1e9, 1}}, []float64{50, 2}},
		{"one begins anew", rates, map[string][]float64{"a": {100, 1}, "b": {50, 1}}, map[string][]float64{"a": {200, 1}, "b": {10, 1}}, []float64{50, 2}},
		{"the only one begins anew", rates, map[string][]float64{"a": {100, 1}}, map[string][]float64{"a": {20, 1}}, []float64{math.NaN(), 1}},
		{"one is not known", rates, map[string][]float64{"a": {100, 1}, "b": {50, 1}}, map[string][]float64{"a": {200, 1}, "b": {math.NaN(), math.NaN()}}, []float64{50, 1}},
		{"none is there", rates, map[string][]float64{"a": {100, 1}}, nil, []float64{math.NaN(), math.NaN()}},
		// Idle time of hours comes and goes with a processor.
		{"a processor goes offline", shares, map[string][]float64{"0": {10, 10}, "1": {10, 90000}}, map[string][]float64{"0": {11, 13}}, []float64{25, 75}},
		{"a processor comes online", shares, map[string][]float64{"0": {10, 10}}, map[string][]float64{"0": {11, 13}, "1": {10, 90000}}, []float64{25, 75}},
		{"idle time of one is taken back", shares, map[string][]float64{"0": {10, 10}, "1": {10, 20}}, map[string][]float64{"0": {11, 13}, "1": {14, 5}}, []float64{62.5, 37.5}},
	} {
		got := figures(&Block{Columns: tt.columns}, blockReading{parts(tt.before), at}, blockReading{parts(tt.now), at.Add(2 * time.Second)})
		if fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: figures are %v, want %v", tt.name, got, tt.want)
		}
	}
}
