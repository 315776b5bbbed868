package counters

import (
	"context"
	"testing"

	"github.com/l4stat/l4stat/internal/kernel"
)

// BenchmarkRead reads this machine's figures.
func BenchmarkRead(b *testing.B) {
	for _, s := range Sets() {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Read(context.Background(), kernel.At("/proc")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
