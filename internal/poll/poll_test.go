package poll

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"
)

func TestEvery(t *testing.T) {
	enough := errors.New("enough")
	tests := []struct {
		name string
		took map[int]time.Duration // by the calls
		fail int                   // the call that fails, 0 for none
		want []time.Duration       // when the calls began
		err  error
	}{
		{"at once and at the interval", nil, 0, []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second}, nil},
		{"a call that takes long", map[int]time.Duration{2: 15 * time.Second}, 0, []time.Duration{0, 10 * time.Second, 25 * time.Second, 30 * time.Second}, nil},
		{"an error", nil, 2, []time.Duration{0, 10 * time.Second}, enough},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(context.Background(), 35*time.Second)
				defer cancel()
				start := time.Now()
				var got []time.Duration
				err := Every(ctx, 10*time.Second, nil, func() error {
					got = append(got, time.Since(start))
					time.Sleep(tt.took[len(got)])
					if len(got) == tt.fail {
						return enough
					}
					return nil
				})
				if err != tt.err || !reflect.DeepEqual(got, tt.want) {
					t.Errorf("calls at %v and error %v, want %v and %v", got, err, tt.want, tt.err)
				}
			})
		})
	}
}

func TestEnough(t *testing.T) {
	t.Parallel()
	for cost, want := range map[time.Duration]time.Duration{
		time.Microsecond:        time.Millisecond,
		700 * time.Microsecond:  2 * time.Millisecond,
		5 * time.Millisecond:    10 * time.Millisecond,
		5100 * time.Microsecond: 20 * time.Millisecond,
		83 * time.Millisecond:   200 * time.Millisecond,
		time.Second:             2 * time.Second,
	} {
		if got := Enough(cost); got != want {
			t.Errorf("for %v a delay of %v is enough, want %v", cost, got, want)
		}
	}
}

// TestEverySlow has an interval that cannot be kept told once, and not one that a
// call or two took longer than.
func TestEverySlow(t *testing.T) {
	for _, tt := range []struct {
		name string
		took func(call int) time.Duration
		want []string
	}{
		{"kept", func(int) time.Duration { return 20 * time.Millisecond }, nil},
		{"longer twice in a row, again and again", func(call int) time.Duration {
			if call%3 == 0 {
				return 0
			}
			return 415 * time.Millisecond
		}, nil},
		{"longer always", func(int) time.Duration { return 415 * time.Millisecond },
			[]string{"an interval of 20ms cannot be kept: a round takes 415ms here; 900ms would do"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				var told []string
				calls := 0
				if err := Every(ctx, 20*time.Millisecond, func(e *SlowError) { told = append(told, e.Error()) }, func() error {
					calls++
					time.Sleep(tt.took(calls))
					return nil
				}); err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(told, tt.want) {
					t.Errorf("told of %q in %d calls, want %q", told, calls, tt.want)
				}
			})
		})
	}
}
