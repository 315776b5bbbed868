package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/internal/connstat"
	"github.com/l4stat/l4stat/internal/poll"
)

// connsFlags are the flags of l4stat conns.
type connsFlags struct {
	established bool
	noLoopback  bool
	parsable    bool
	ipv4, ipv6  bool
	timestamp   string
	filter      string
	interval    string
	count       int
	output      string
	json        bool
	sort        string
	top         int
}

func newConns() *cobra.Command {
	var f connsFlags
	cmd := &cobra.Command{
		Use:                   "conns [-eLP] [-4|-6] [-T d|u] [-F filter] [-i interval] [-c count] [-o field[,field]...]",
		DisableFlagsInUseLine: true,
		Short:                 "Report TCP connections one by one, from the kernel's tcp_info",
		Long:                  connsHelp(),
		Example: `  l4stat conns -e
  l4stat conns -F lport=22,rport=49675,raddr=172.16.168.30 -o inbytes,outbytes -i 1
  l4stat conns -F lport=443 -o raddr,rport,outbytes,suna,cwnd,unsent,retransbytes,rtt -T d -i 1
  l4stat conns -F state=time_wait,lport=80
  l4stat conns -o pid,process,raddr,rport,retransbytes,rtt --sort retransbytes --top 10
  l4stat conns -F raddr=10.0.0.0/8 -o all --json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runConns(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&f.established, "established", "e", false, "only connections in state ESTABLISHED, as -F state=established")
	flags.BoolVarP(&f.noLoopback, "no-loopback", "L", false, "leave out connections with a loopback address at either end")
	flags.BoolVarP(&f.ipv4, "ipv4", "4", false, "only IPv4 connections, those of IPv6 sockets included")
	flags.BoolVarP(&f.ipv6, "ipv6", "6", false, "only IPv6 connections")
	flags.StringVarP(&f.filter, "filter", "F", "", "only connections that match `FILTER`: field=value[,field=value]...")
	flags.StringVarP(&f.output, "output", "o", "", "report `FIELD[,FIELD]...`, or all that can be had here with all (default laddr,lport,raddr,rport,state)")
	flags.BoolVarP(&f.parsable, "parsable", "P", false, "values with commas between them and no headings, for scripts; needs -o with names of fields")
	flags.BoolVar(&f.json, "json", false, "a JSON object in each line, null where there is no value")
	flags.StringVar(&f.sort, "sort", "", "sort by `FIELD`: numbers descending, text ascending")
	flags.IntVar(&f.top, "top", 0, "only the first `N` connections of --sort")
	flags.StringVarP(&f.interval, "interval", "i", "", "report again every `SECONDS` seconds")
	flags.IntVarP(&f.count, "count", "c", 0, "stop after `N` reports; needs -i")
	flags.StringVarP(&f.timestamp, "timestamp", "T", "", "write the time before each report, after \"= \" with -P, as time in each object with --json: `d|u`, d as 2016-07-07T11:04:40 in local time (--json adds the offset from UTC), u as seconds since 1970")
	list(cmd, "fields", "output")
	list(cmd, "the parts of a filter", "filter")
	return cmd
}

func runConns(cmd *cobra.Command, f *connsFlags) (err error) {
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	interval, err := f.every(cmd)
	if err != nil {
		return err
	}
	log := newLogger(cmd.ErrOrStderr())
	o.Warn, o.Now = log.Warn, time.Now
	reporter, err := connstat.NewReporter(o, cmd.OutOrStdout())
	if err != nil {
		return &usageError{err}
	}
	defer func() {
		if closeErr := reporter.Close(); err == nil {
			err = closeErr
		}
	}()

	ctx := cmd.Context()
	if interval == 0 {
		return report(ctx, reporter)
	}
	left := f.count
	err = poll.Every(ctx, interval, slow(log), func() error {
		if err := report(ctx, reporter); err != nil {
			return err
		}
		if left--; left == 0 {
			return errEnough
		}
		return nil
	})
	if err == errEnough {
		return nil
	}
	return err
}

// errEnough ends the reports of -i after as many as -c says.
var errEnough = errors.New("no more reports are asked for")

// report writes one report. That a signal ended it is no error, nor that nobody
// reads on.
func report(ctx context.Context, r *connstat.Reporter) error {
	err := r.Report(ctx)
	switch {
	case errors.Is(err, errReaderGone):
		return errReaderGone
	case ctx.Err() != nil:
		return nil
	}
	return err
}

// options gives what the flags ask for.
func (f *connsFlags) options(cmd *cobra.Command) (o connstat.Options, err error) {
	given := cmd.Flags().Changed
	if given("filter") {
		if o.Filter, err = connstat.ParseFilter(f.filter); err != nil {
			return o, usage("-F %w", err)
		}
	}
	if err := f.narrow(&o.Filter); err != nil {
		return o, err
	}
	if o.All = strings.EqualFold(f.output, connstat.All); given("output") && !o.All {
		if o.Fields, err = connstat.ParseFields(f.output); err != nil {
			return o, usage("-o %s: %w", f.output, err)
		}
	}
	switch {
	case f.parsable && f.json:
		return o, usage("-P and --json are two formats: give one of them")
	case f.parsable && o.All:
		return o, usage("-P -o all: which fields all has differs between hosts, so its values would not stay where they are; name the fields, or use --json")
	case f.parsable && !given("output"):
		return o, usage("-P needs -o FIELD[,FIELD]..., so that its values stay where they are")
	case f.parsable:
		o.Format = connstat.Parsable
	case f.json:
		o.Format = connstat.JSON
	}
	switch o.Timestamp = connstat.Timestamp(f.timestamp); {
	case !given("timestamp"):
	case o.Timestamp != connstat.DateTimestamp && o.Timestamp != connstat.UnixTimestamp:
		return o, usage("-T %q: give d for a date or u for seconds since 1970", f.timestamp)
	}
	if given("sort") {
		field, err := connstat.FieldByName(f.sort)
		if err != nil {
			return o, usage("--sort: %w", err)
		}
		o.Sort = &field
	}
	switch o.Top = f.top; {
	case !given("top"):
	case f.top < 1:
		return o, usage("--top %d: give 1 or more", f.top)
	case o.Sort == nil:
		return o, usage("--top %d needs --sort FIELD, for example --sort retransbytes", f.top)
	}
	return o, nil
}

// narrow adds to the filter what has a flag of its own.
func (f *connsFlags) narrow(filter *connstat.Filter) error {
	if f.established {
		if filter.States != 0 {
			return usage("-e beside -F state=: -e is state=established; give one of them")
		}
		filter.States = connstat.Established
	}
	switch {
	case f.ipv4 && f.ipv6:
		return usage("-4 and -6: no connection is both; leave both out for both")
	case f.ipv4:
		filter.IPVersion = 4
	case f.ipv6:
		filter.IPVersion = 6
	}
	filter.NoLoopback = f.noLoopback
	if err := filter.Check(); err != nil {
		return &usageError{err}
	}
	return nil
}

// every gives the interval of -i, 0 without.
func (f *connsFlags) every(cmd *cobra.Command) (time.Duration, error) {
	if !cmd.Flags().Changed("interval") {
		if cmd.Flags().Changed("count") {
			return 0, usage("-c %d needs -i SECONDS: without there is one report", f.count)
		}
		return 0, nil
	}
	if cmd.Flags().Changed("count") && f.count < 1 {
		return 0, usage("-c %d: give 1 or more reports", f.count)
	}
	interval, err := seconds(f.interval)
	if err != nil {
		return 0, usage("-i %q: %w", f.interval, err)
	}
	return interval, nil
}

// connsHelp is the help text, with the fields as they are.
func connsHelp() string {
	var b strings.Builder
	b.WriteString(`Report this host's TCP connections, one in a row: which there are, in which state,
and what the kernel measures of each. It is connstat(8) for Linux.

Without -i there is one report, of all connections and listeners. A row is
written as the kernel lists it, so memory does not grow with the connections
unless they are sorted or their processes looked up; columns have fixed widths
therefore, and a value that is longer moves the rest of its row. A field that
has no value is "-", and empty with -P: what the running kernel does not keep or
does not know yet, and all but addresses and state of connections that it hardly
keeps any more or yet (TIME_WAIT, SYN_RECEIVED).

The filter is field=value[,field=value]..., of which all must match, each field
once. State and ports are filtered in the kernel.

    laddr, raddr   an address, or a network such as 10.0.0.0/8
    lport, rport   a port, or a range such as 8000-8010
    state          one of the states below, in upper or lower case
    pid, process   the process that holds the socket, by ID or by name
    cgroup         the cgroup v2 in which the socket was made, or one above it,
                   such as /system.slice, or its number

States: ` + connsStates() + `.
The kernel's names, such as fin_wait1, are taken as well. Sockets that are BOUND
and nothing else are reported only when asked for (Linux 6.8). Those that are
CLOSED, or IDLE as connstat says, Linux does not list.

The fields, in upper or lower case; rxqueue stands for rqueue. Counts are since
the connection began, of bytes or segments of data. A Linux older than the one in
parentheses does not keep the field. all leaves out what no Linux keeps, or not
the running one, and says which other fields it leaves out since sock_diag is
refused or there is no cgroup v2; a field asked for by name is an error then.

`)
	for _, field := range connstat.AllFields {
		fmt.Fprintf(&b, "    %-15s %s\n", field.Name, field.Help)
	}
	b.WriteString(`
pid, process and the filters by them cost a walk over the descriptors of
processes for each report, and for other users' processes need root, or
CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH. All fields but the addresses, ports,
state, queues, uid, inode and process come from sock_diag alone.

With -P a comma or backslash within a value has a backslash before it.

The exit code is 0 when done, 1 when something failed, 2 for bad usage.`)
	return b.String()
}

func connsStates() string {
	names := strings.Join(connstat.StateNames(), ", ")
	const at = 72
	if i := strings.LastIndex(names[:at], " "); i > 0 {
		names = names[:i] + "\n" + names[i+1:]
	}
	return names
}
