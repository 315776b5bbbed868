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
				err := Every(ctx, 10*time.Second, func() error {
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
