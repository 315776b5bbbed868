package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/printable"
)

// Total is the name of all items of a group together, as in dstat -N eth0,total.
const Total = "total"

// items are what a group adds up and can show apart: network interfaces, or
// processors.
type items struct {
	what    string                   // one of them is
	title   func(name string) string // of the block of one, or of Total
	read    func(*reading) ([]part, time.Time, error)
	counted func(name string) bool // in Total; nil is each
	listed  func(p part) bool      // by Items; nil is each
}

// Divisible reports whether the group adds up items that Of can show apart.
func (g Group) Divisible() bool { return g.items != nil }

// Items returns the names of the items that dstat --full shows apart.
func (g Group) Items(ctx context.Context, host kernel.Host) ([]string, error) {
	parts, _, err := g.items.read(newReading(ctx, host))
	var names []string
	for _, p := range parts {
		if g.items.listed == nil || g.items.listed(p) {
			names = append(names, p.of)
		}
	}
	return names, err
}

// Of returns the group with a block for each of the items, in their order, each
// once. An item that there is not, yet or any more, is unknown.
func (g Group) Of(names []string) Group {
	all := g.Blocks[0]
	g.Blocks = nil
	seen := map[string]bool{}
	for _, name := range names {
		name = printable.Text(name) // as it is read
		if seen[name] {
			continue
		}
		seen[name] = true
		b := *all
		b.item, b.Title = name, g.items.title(name)
		if name != Total {
			b.read = g.items.readOne(name)
		}
		g.Blocks = append(g.Blocks, &b)
	}
	return g
}

// readOne makes the read of a block of one item.
func (it *items) readOne(name string) func(*reading) ([]part, time.Time, error) {
	return func(r *reading) ([]part, time.Time, error) {
		all := r.items(it)
		p, ok := all.byName[name]
		switch {
		case ok:
			return []part{p}, all.at, all.err
		case all.err != nil:
			return nil, all.at, all.err
		default:
			return nil, all.at, absentError(fmt.Sprintf("there is no %s %s now", it.what, name))
		}
	}
}

// readTotal is the read of a block of all items.
func (it *items) readTotal(r *reading) ([]part, time.Time, error) {
	all := r.items(it)
	return all.total, all.at, all.err
}

// itemReading is what was read of items.
type itemReading struct {
	byName map[string]part
	total  []part // those that count in Total
	at     time.Time
	err    error
}

// items reads items, once for each sample.
func (r *reading) items(it *items) *itemReading {
	if all := r.all[it]; all != nil {
		return all
	}
	parts, at, err := it.read(r)
	all := &itemReading{byName: make(map[string]part, len(parts)), at: at, err: err}
	for _, p := range parts {
		all.byName[p.of] = p
		if it.counted == nil || it.counted(p.of) {
			all.total = append(all.total, p)
		}
	}
	if len(all.total) == 0 && len(parts) > 0 { // lo alone
		all.total = whole(make([]float64, len(parts[0].values))...)
	}
	r.all[it] = all
	return all
}
