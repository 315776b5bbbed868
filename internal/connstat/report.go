package connstat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/l4stat/l4stat/internal/owner"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Options are what a report is to be.
type Options struct {
	Filter    Filter
	Fields    []Field // none stands for BasicFields
	Format    Format
	Timestamp Timestamp
	// Sort, if set, has the connections in the order of that field: numbers
	// from the greatest, text from A, those without a value last. Rows can only
	// be written once all are known, so they are kept: all of them, or Top.
	Sort *Field
	// Top is how many connections to report at the most, the first by Sort; 0 is
	// all.
	Top int
	// Warn is told once when /proc is read instead of sock_diag.
	Warn func(string)
	// Now gives the time of a report.
	Now func() time.Time
}

// Reporter writes reports.
type Reporter struct {
	Options
	source  socket.Source
	procfs  bool // tells who holds a socket; elsewhere the source does
	query   socket.Query
	lookups lookup
	out     *bufio.Writer
	line    []byte
	header  []byte
}

// outBuf is how much of a report is written at once.
const outBuf = 32 << 10

// NewReporter makes a Reporter that writes to w. Close it after use. It does not
// read yet. The error is of a field that this system does not have.
func NewReporter(o Options, w io.Writer) (*Reporter, error) {
	r := newReporter(o, nil, w)
	if err := r.check(slices.Contains(socket.Kinds(), socket.Netlink)); err != nil {
		return nil, err
	}
	kind := socket.Auto
	if r.needsNetlink() {
		kind = socket.Netlink
	}
	var err error
	r.source, err = socket.Open(kind, socket.Options{Warn: o.Warn})
	return r, err
}

// check gives an error for what a system that is not Linux does not have.
func (r *Reporter) check(linux bool) error {
	r.procfs = linux
	if linux {
		return nil
	}
	if r.Filter.Process != "" || slices.ContainsFunc(r.used(), func(f Field) bool { return f.Name == "process" }) {
		return errors.New("process: names of processes are found on Linux alone; use pid")
	}
	if r.needsNetlink() {
		return r.explain(errors.New("which only Linux has"))
	}
	return nil
}

// newReporter makes a Reporter that reads the source.
func newReporter(o Options, source socket.Source, w io.Writer) *Reporter {
	if len(o.Fields) == 0 {
		o.Fields = BasicFields()
	}
	o.Fields = slices.Clone(o.Fields)
	r := &Reporter{Options: o, source: source, query: o.Filter.query(), lookups: o.Filter.lookups(), out: bufio.NewWriterSize(w, outBuf)}
	for _, f := range r.used() {
		r.query.Details |= f.needs
		r.lookups |= f.lookup
	}
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Name == "laddr" || f.Name == "raddr" {
			f.Width = o.Filter.addrWidth()
		}
	}
	if o.Format == Table {
		r.header = appendTableHeader(nil, r.Fields)
	}
	return r
}

// needing are the fields that netlink alone has.
func (r *Reporter) needing() []Field {
	return slices.DeleteFunc(slices.Clone(r.used()), func(f Field) bool { return f.needs == 0 || f.procfs })
}

func (r *Reporter) needsNetlink() bool {
	return len(r.needing()) > 0 || r.Filter.Cgroup != "" || r.Filter.Bound
}

// used are the fields that are written or sorted by.
func (r *Reporter) used() []Field {
	if r.Sort == nil {
		return r.Fields
	}
	return append(slices.Clone(r.Fields), *r.Sort)
}

// explain says what sock_diag was needed for, when it cannot be had.
func (r *Reporter) explain(err error) error {
	needing := r.needing()
	switch {
	case len(needing) > 3:
		return fmt.Errorf("%s and %d fields more come from sock_diag alone: %w", fieldNames(needing[:2]), len(needing)-2, err)
	case len(needing) > 0:
		return fmt.Errorf("%s: from sock_diag alone: %w", fieldNames(needing), err)
	case r.Filter.Cgroup != "":
		return fmt.Errorf("the filter cgroup needs sock_diag: %w", err)
	case r.Filter.Bound:
		return fmt.Errorf("sockets that are bound are known to sock_diag alone: %w", err)
	}
	return err
}

// Close frees what the Reporter holds open.
func (r *Reporter) Close() error { return r.source.Close() }

// Report writes one report: the time, the headings, and each connection as the
// kernel lists it. Nothing is kept for a connection, unless rows are sorted or
// processes looked up.
func (r *Reporter) Report(ctx context.Context) error {
	look, err := r.lookUp(ctx)
	if err != nil {
		return err
	}
	now := r.Now()
	if r.Timestamp != NoTimestamp && r.Format != JSON {
		r.line = append(r.Timestamp.append(r.line[:0], now), '\n')
		if _, err := r.out.Write(r.line); err != nil {
			return err
		}
	}
	if _, err := r.out.Write(r.header); err != nil {
		return err
	}
	sorted := newSorter(r.Sort, r.Top)
	current := row{bound: r.Filter.Bound}
	err = r.source.Each(ctx, r.query, func(s *socket.Socket) error {
		current.Socket = s
		if !r.Filter.match(s) || !look.up(&current) {
			return nil
		}
		if sorted != nil {
			sorted.add(&current, func(b []byte) []byte { return r.appendRow(b, &current, now) })
			return nil
		}
		r.line = r.appendRow(r.line[:0], &current, now)
		_, err := r.out.Write(r.line)
		return err
	})
	var tables socket.TableErrors
	if errors.As(err, &tables) {
		err = r.explain(err)
	}
	if sorted != nil {
		for _, line := range sorted.lines() {
			if _, err := r.out.Write(line); err != nil {
				return err
			}
		}
	}
	return errors.Join(err, r.out.Flush())
}

func (r *Reporter) appendRow(b []byte, row *row, now time.Time) []byte {
	switch r.Format {
	case Parsable:
		return appendParsableRow(b, r.Fields, row)
	case JSON:
		return appendJSONRow(b, r.Fields, row, r.Timestamp, now)
	default:
		return appendTableRow(b, r.Fields, row)
	}
}

// looker has what was looked up for a report.
type looker struct {
	filter  *Filter
	holders *owner.Holders
	cgroups cgroups
	cgroup  uint64 // the one by number, 0 for none
}

// lookUp finds out beforehand what is not in the kernel's dump, in one walk over
// processes and one over cgroups, and neither where no field or filter needs it.
func (r *Reporter) lookUp(ctx context.Context) (*looker, error) {
	l := &looker{filter: &r.Filter}
	var err error
	if r.lookups&lookupOwner != 0 && r.procfs {
		if l.holders, err = owner.FindHolders(ctx, socket.ProcRoot(), r.Filter.PID, r.Filter.Process); err != nil {
			return nil, err
		}
	}
	if r.lookups&lookupCgroup != 0 {
		path := r.Filter.Cgroup
		if id, err := strconv.ParseUint(path, 10, 64); err == nil {
			l.cgroup, path = id, ""
		}
		if l.cgroups, err = findCgroups(socket.ProcRoot(), path); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// up adds to a row what was looked up, and reports whether the row passes the
// filter by that.
func (l *looker) up(r *row) bool {
	r.owner = Owner{PID: r.PID}
	if l.holders != nil {
		r.owner = l.holders.Of(r.Inode)
	}
	if l.filter.PID != 0 && r.owner.PID != l.filter.PID || l.filter.Process != "" && r.owner.PID == 0 {
		return false
	}
	if l.cgroups == nil {
		return true
	}
	r.cgroup = ""
	id := uint64(0)
	if r.Details != nil {
		id = r.Details.CgroupID
	}
	name, ok := l.cgroups[id]
	switch {
	case l.filter.Cgroup == "":
	case l.cgroup != 0 && l.cgroup != id, l.cgroup == 0 && !ok:
		return false
	}
	switch {
	case ok:
		r.cgroup = name
	case id != 0: // removed, or of another cgroup namespace; as ss says it
		r.cgroup = "unreachable:" + strconv.FormatUint(id, 10)
	}
	return true
}
