//go:build !linux

package owner

import (
	"errors"
	"iter"
	"time"
)

// table stands for what only Linux has: elsewhere sockets come with their owners.
type table struct {
	size, next, found int
	refused, stopped  bool
	stop              func() bool
}

func openTable(string, int, int) (*table, error) { return nil, errors.ErrUnsupported }

func (t *table) close()                          {}
func (t *table) look(int) (uint64, bool)         { return 0, false }
func (t *table) sockets() iter.Seq2[int, uint64] { return func(func(int, uint64) bool) {} }

func (link) holds(uint64) bool { return false }

func threadTables(string, int, bool) []int { return nil }

func privileged() bool { return true }

var started = time.Now()

func cpuTime() time.Duration { return time.Since(started) }
