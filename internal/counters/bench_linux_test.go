package counters

import (
	"context"
	"testing"
)

// BenchmarkRead reads this machine's figures.
func BenchmarkRead(b *testing.B) {
	for _, s := range Sets() {
		b.Run(s.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Read(context.Background(), "/proc"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
