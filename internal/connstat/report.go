package connstat

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/owner"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Options configures a Reporter.
type Options struct {
	Filter Filter
	Fields []Field // none stands for BasicFields
	// All reports every field that can be had, instead of Fields: not those that
	// Linux has nothing for, and where something is refused or missing, such as
	// sock_diag or cgroup v2, none of the fields that come from it. Warn is told
	// which are left out for that reason.
	All       bool
	Format    Format
	Timestamp Timestamp
	// Sort, if set, has the connections in the order of that field: numbers
	// from the greatest, text from A, those without a value last. Rows can only
	// be written once all are known, so they are kept: all of them, or Top.
	Sort *Field
	// Top is how many connections to report at the most, the first by Sort; 0 is
	// all.
	Top int
	// Warn is told once when /proc is read instead of sock_diag, of each field
	// that All leaves out, and of a field or a state in the filter that Linux has
	// nothing for. It may be nil.
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
	to      io.Writer
	out     *bufio.Writer
	line    []byte
	header  []byte
	refused bool // Warn was told that processes may not be looked into
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
	r.warnOfAbsent()
	// Where the size cannot be found out, what the kernel does not keep has no value.
	if size, err := socket.TCPInfoSize(); err == nil {
		r.dropUnkept(size)
	}
	kind := socket.Auto
	if r.needsNetlink() {
		kind = socket.Netlink
	}
	var err error
	r.source, err = socket.Open(kind, socket.Options{Warn: o.Warn})
	return r, err
}

// check returns an error for what a system that is not Linux does not have, and
// leaves it out of all fields.
func (r *Reporter) check(linux bool) error {
	r.procfs = linux
	if linux {
		return nil
	}
	if r.All {
		r.leaveOut(func(f Field) bool { return f.Name == "process" || netlinkOnly(f) || f.lookup&lookupCgroup != 0 })
	}
	if r.Filter.Process != "" || slices.ContainsFunc(r.named(), func(f Field) bool { return f.Name == "process" }) {
		return errors.New("process: names of processes are found on Linux alone; use pid")
	}
	if r.needsNetlink() {
		return r.explain(errors.New("which only Linux has"))
	}
	return nil
}

// newReporter makes a Reporter that reads the source.
func newReporter(o Options, source socket.Source, w io.Writer) *Reporter {
	switch {
	case o.All:
		o.Fields = slices.DeleteFunc(slices.Clone(AllFields), func(f Field) bool { return f.Instead != "" })
	case len(o.Fields) == 0:
		o.Fields = BasicFields()
	}
	o.Fields = slices.Clone(o.Fields)
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	r := &Reporter{Options: o, source: source, to: w, out: bufio.NewWriterSize(w, outBuf)}
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Name == "laddr" || f.Name == "raddr" {
			f.Width = o.Filter.addrWidth()
		}
	}
	r.prepare()
	return r
}

// prepare works out what the fields need.
func (r *Reporter) prepare() {
	r.query, r.lookups = r.Filter.query(), r.Filter.lookups()
	for _, f := range r.used() {
		r.query.Details |= f.needs
		r.lookups |= f.lookup
	}
	if r.Format == Table {
		r.header = appendTableHeader(nil, r.Fields)
	}
}

// warnOfAbsent tells of what was asked for by name and no Linux has.
func (r *Reporter) warnOfAbsent() {
	named := r.named()
	for len(named) > 0 {
		instead := named[0].Instead
		other := func(f Field) bool { return f.Instead != instead }
		if instead != "" {
			absent := names(slices.DeleteFunc(slices.Clone(named), other))
			slices.Sort(absent)
			r.Warn(fmt.Sprintf("Linux does not keep %s; use %s", strings.Join(slices.Compact(absent), " or "), instead))
		}
		named = slices.DeleteFunc(slices.Clone(named), func(f Field) bool { return !other(f) })
	}
	if r.Filter.States == socket.States(socket.StateClose) && !r.Filter.Bound {
		r.Warn("the kernel does not list sockets that are IDLE or CLOSED, neither bound nor connected: it cannot tell whether there are any; " +
			"state=bound has those that are bound")
	}
}

// dropUnkept leaves out of all fields those whose members a struct tcp_info of that
// size does not have, and tells of such a field that was asked for by name.
func (r *Reporter) dropUnkept(size int) {
	unkept := func(f Field) bool { return f.Instead == "" && !f.keptIn(size) }
	if r.All {
		r.leaveOut(unkept)
	}
	if named := slices.DeleteFunc(slices.Clone(r.named()), func(f Field) bool { return !unkept(f) }); len(named) > 0 {
		r.Warn(fmt.Sprintf("this kernel does not keep %s, which a later Linux does; see l4stat conns --help", summary(named)))
	}
}

// leaveOut drops fields.
func (r *Reporter) leaveOut(what func(Field) bool) {
	r.Fields = slices.DeleteFunc(r.Fields, what)
	r.prepare()
}

// leaveOutOfAll drops those of all fields that cannot be had because of err, and
// says so. It reports false where something that was asked for by name, or the
// filter, needs them too.
func (r *Reporter) leaveOutOfAll(needed bool, what func(Field) bool, err error) bool {
	if !r.All || needed || slices.ContainsFunc(r.named(), what) {
		return false
	}
	var out []Field
	for _, f := range r.Fields {
		if what(f) {
			out = append(out, f)
		}
	}
	r.leaveOut(what)
	r.Warn(fmt.Sprintf("all is without %s: %v", summary(out), err))
	return true
}

// netlinkOnly reports whether only sock_diag has the field.
func netlinkOnly(f Field) bool { return f.needs != 0 && !f.procfs }

// needing are the fields asked for by name that netlink alone has.
func (r *Reporter) needing() []Field {
	return slices.DeleteFunc(slices.Clone(r.named()), func(f Field) bool { return !netlinkOnly(f) })
}

// needsNetlink reports whether there can be no report without netlink.
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

// named are those of used that were asked for by name.
func (r *Reporter) named() []Field {
	switch {
	case !r.All:
		return r.used()
	case r.Sort != nil:
		return []Field{*r.Sort}
	}
	return nil
}

// summary names a few fields, or the first ones of many.
func summary(fields []Field) string {
	if len(fields) > 3 {
		return fmt.Sprintf("%s and %d fields more", fieldNames(fields[:2]), len(fields)-2)
	}
	return fieldNames(fields)
}

// explain says what sock_diag was needed for, when it cannot be had.
func (r *Reporter) explain(err error) error {
	needing := r.needing()
	switch {
	case len(needing) > 0:
		return fmt.Errorf("%s: from sock_diag alone: %w", summary(needing), err)
	case r.Filter.Cgroup != "":
		return fmt.Errorf("the filter cgroup needs sock_diag: %w", err)
	case r.Filter.Bound:
		return fmt.Errorf("sockets that are bound are known to sock_diag alone: %w", err)
	}
	return err
}

// Close frees what the Reporter holds open.
func (r *Reporter) Close() error { return r.source.Close() }

// errNoDetails ends a listing whose source turned out to be without details.
var errNoDetails = errors.New("they come from sock_diag alone")

// Report writes one report: the time, the headings, and each connection as the
// kernel lists it. Nothing is kept for a connection, unless rows are sorted or
// processes looked up.
func (r *Reporter) Report(ctx context.Context) error {
	look, err := r.lookUp(ctx)
	if err != nil {
		return err
	}
	err = r.list(ctx, look)
	if errors.Is(err, errNoDetails) && r.leaveOutOfAll(false, netlinkOnly, errNoDetails) {
		r.out.Reset(r.to) // what was written is the headings of those fields
		err = r.list(ctx, look)
	}
	if look.missed && !r.refused {
		r.refused = true
		r.Warn("pid and process are left out of some rows: other users' processes may not be looked into; " + owner.NeedsPrivilege)
	}
	return errors.Join(err, r.out.Flush())
}

// list writes a report to r.out, without flushing it. The error is errNoDetails
// where there are to be all fields and the first connection has no details; then
// no more than the headings has been written.
func (r *Reporter) list(ctx context.Context, look *looker) error {
	now := r.Now()
	if r.Timestamp != NoTimestamp && r.Format != JSON {
		r.line = append(r.Timestamp.append(r.line[:0], now, r.Format), '\n')
		if _, err := r.out.Write(r.line); err != nil {
			return err
		}
	}
	if _, err := r.out.Write(r.header); err != nil {
		return err
	}
	sorted := newSorter(r.Sort, r.Top)
	current := row{bound: r.Filter.Bound}
	first := true
	err := r.source.Each(ctx, r.query, func(s *socket.Socket) error {
		if first && r.All && s.Details == nil && slices.ContainsFunc(r.Fields, netlinkOnly) {
			return errNoDetails
		}
		first = false
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
	if sorted == nil || errors.Is(err, errNoDetails) {
		return err
	}
	for _, line := range sorted.lines() {
		if _, err := r.out.Write(line); err != nil {
			return err
		}
	}
	return err
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
	missed  bool   // a connection's holder, which a process that may not be looked into may be
}

// lookUp finds out beforehand what is not in the kernel's dump, in one walk over
// processes and one over cgroups, and neither where no field or filter needs it.
// What of it is for all fields only may fail.
func (r *Reporter) lookUp(ctx context.Context) (*looker, error) {
	l := &looker{filter: &r.Filter}
	for _, find := range []struct {
		lookup lookup
		by     func(context.Context, *looker) error
	}{
		{lookupOwner, r.findHolders},
		{lookupCgroup, r.findCgroups},
	} {
		if r.lookups&find.lookup == 0 {
			continue
		}
		err := find.by(ctx, l)
		if err == nil {
			continue
		}
		ours := func(f Field) bool { return f.lookup&find.lookup != 0 }
		if ctx.Err() != nil || !r.leaveOutOfAll(r.Filter.lookups()&find.lookup != 0, ours, err) {
			return nil, err
		}
	}
	return l, nil
}

func (r *Reporter) findHolders(ctx context.Context, l *looker) (err error) {
	if r.procfs {
		l.holders, err = owner.FindHolders(ctx, kernel.This().Proc(), r.Filter.PID, r.Filter.Process)
	}
	return err
}

func (r *Reporter) findCgroups(_ context.Context, l *looker) (err error) {
	path := r.Filter.Cgroup
	if id, err := strconv.ParseUint(path, 10, 64); err == nil {
		l.cgroup, path = id, ""
	}
	l.cgroups, err = findCgroups(kernel.This().Proc(), path)
	return err
}

// up adds to a row what was looked up, and reports whether the row passes the
// filter by that.
func (l *looker) up(r *row) bool {
	r.owner = Owner{PID: r.PID}
	if l.holders != nil {
		r.owner = l.holders.Of(r.Inode)
		l.missed = l.missed || r.Inode != 0 && r.owner.PID == 0 && l.holders.Refused()
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
