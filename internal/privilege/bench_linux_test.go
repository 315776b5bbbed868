package privilege

import (
	"runtime"
	"syscall"
	"testing"
)

// BenchmarkDescriptors compares what a search pays for capabilities that are in
// effect anyway, as root's are, with what it pays to put them into effect.
func BenchmarkDescriptors(b *testing.B) {
	nothing := func() error { return nil }
	b.Run("in effect", func(b *testing.B) {
		for b.Loop() {
			if err := Descriptors(nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("raised", func(b *testing.B) {
		runtime.LockOSThread() // for good: the thread ends with the benchmark
		c, err := Current()
		if err != nil {
			b.Fatal(err)
		}
		if c.Permitted&Needed != Needed {
			b.Skip("needs to be permitted the capabilities")
		}
		c.Effective = 0
		if err := c.Apply(syscall.RawSyscall); err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			if err := Descriptors(nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
}
