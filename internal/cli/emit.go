package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
)

// emitFlags are the flags of l4stat emit.
type emitFlags struct {
	once       bool
	config     string
	interval   time.Duration
	ports      []string
	portsMatch []string
	tags       []string
	host       string
	precision  string
	outputs    []string
}

func newEmit() *cobra.Command {
	var f emitFlags
	cmd := &cobra.Command{
		Use:   "emit",
		Short: "Count sockets at an interval and write line protocol",
		Long: `Count this host's TCP connections by state, and its UDP sockets, and write the
measurements netstat and netstat_port as line protocol, to standard output if no
other is named. It goes on until SIGINT or SIGTERM.

The environment variables ` + netstat.EnvInterval + `,
` + netstat.EnvAddrPorts + ` and ` + netstat.EnvTags + `
override the configuration file; flags override both.`,
		Example: `  l4stat emit --once --ports 22,80,443
  l4stat emit --config /etc/l4stat/netstat.conf --output /var/log/netstat.lp`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEmit(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.once, "once", false, "count once and end")
	flags.StringVar(&f.config, "config", "", "read the configuration from `FILE`")
	flags.DurationVar(&f.interval, "interval", netstat.DefaultInterval, "how often to count, instead of what the configuration says")
	flags.StringSliceVar(&f.ports, "ports", nil, "count these `PORTS` apart, such as 80,443 or 10.0.0.0/8:5432; not with --config")
	flags.StringSliceVar(&f.portsMatch, "ports-match", nil, "count each local address with these `PORTS` apart, such as '*:80'; not with --config")
	flags.StringArrayVar(&f.tags, "tag", nil, "add the tag `KEY=VALUE` to rows that have none of that name (repeatable)")
	flags.StringVar(&f.host, "host", "", `value of the tag host; empty for no such tag (default this host's name)`)
	flags.StringVar(&f.precision, "precision", string(emit.Nanosecond), "of time stamps: `ns|us|ms|s`")
	flags.StringArrayVar(&f.outputs, "output", []string{"-"}, "write to `FILE`, appending; - is standard output (repeatable)")
	return cmd
}

func runEmit(cmd *cobra.Command, f *emitFlags) (err error) {
	log := logger{cmd.ErrOrStderr()}
	configs, err := f.configs(cmd)
	if err != nil {
		return &usageError{err}
	}
	tags, err := f.programTags(cmd)
	if err != nil {
		return err
	}
	var blocks []*block
	defer func() {
		for _, b := range blocks {
			err = errors.Join(err, b.collector.Close())
		}
	}()
	for _, c := range configs {
		c.Warn = log.warn
		collector, err := netstat.New(c)
		if err != nil {
			return &usageError{err}
		}
		blocks = append(blocks, &block{collector, c.Interval})
	}
	out, err := f.open(cmd.OutOrStdout(), tags, log)
	if err != nil {
		return err
	}
	// What is buffered is written also when a signal ended the run.
	ctx := cmd.Context()
	defer func() { err = errors.Join(err, out.close(context.WithoutCancel(ctx))) }()

	if f.once {
		for _, b := range blocks {
			err = errors.Join(err, out.gather(ctx, b))
		}
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, b := range blocks {
		group.Go(func() error { return b.loop(ctx, out) })
	}
	return group.Wait()
}

// configs gives the blocks to run, from the file or the flags, the environment
// applied.
func (f *emitFlags) configs(cmd *cobra.Command) ([]netstat.Config, error) {
	configs := []netstat.Config{netstat.DefaultConfig()}
	byFlags := len(f.ports)+len(f.portsMatch) > 0
	if f.config != "" {
		if byFlags {
			return nil, errors.New("--ports and --ports-match are for use without --config; add the ports to the file")
		}
		var err error
		if configs, err = netstat.LoadFile(f.config); err != nil {
			return nil, err
		}
	}
	groups, err := f.groups()
	if err != nil {
		return nil, err
	}
	for i := range configs {
		c := &configs[i]
		if err := c.ApplyEnv(os.LookupEnv); err != nil {
			return nil, err
		}
		if byFlags {
			c.Groups = groups
		}
		if cmd.Flags().Changed("interval") {
			if f.interval <= 0 {
				return nil, fmt.Errorf("--interval %s: give a time above zero, such as 10s", f.interval)
			}
			c.Interval = f.interval
		}
	}
	return configs, nil
}

// groups makes a group of --ports and one of --ports-match.
func (f *emitFlags) groups() ([]netstat.Group, error) {
	var groups []netstat.Group
	for _, of := range []struct {
		flag    string
		entries []string
		parse   func(string) (addrports.Entry, error)
		group   netstat.Group
	}{
		{"--ports", f.ports, addrports.Parse, netstat.Group{Ports: f.ports}},
		{"--ports-match", f.portsMatch, addrports.ParseMatch, netstat.Group{PortsMatch: f.portsMatch}},
	} {
		for _, text := range of.entries {
			if _, err := of.parse(text); err != nil {
				return nil, fmt.Errorf("%s %q: %w", of.flag, text, err)
			}
		}
		if len(of.entries) > 0 {
			groups = append(groups, of.group)
		}
	}
	return groups, nil
}

// programTags gives the tags of --host and --tag.
func (f *emitFlags) programTags(cmd *cobra.Command) (map[string]string, error) {
	tags := map[string]string{}
	host := f.host
	if !cmd.Flags().Changed("host") {
		var err error
		if host, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("find this host's name for the tag host: %w; give --host NAME", err)
		}
	}
	if host != "" {
		tags["host"] = host
	}
	for _, text := range f.tags {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" || value == "" {
			return nil, usage("--tag %q: give KEY=VALUE, neither of them empty", text)
		}
		tags[key] = value
	}
	return tags, nil
}

// open opens the outputs. One that cannot be opened is a mistake of usage.
func (f *emitFlags) open(stdout io.Writer, tags map[string]string, log logger) (*outputs, error) {
	out := &outputs{log: log}
	for _, name := range f.outputs {
		enc, err := emit.NewEncoder(emit.Precision(f.precision), tags)
		if err != nil {
			return nil, errors.Join(usage("%w", err), out.close(context.Background()))
		}
		to := emit.NewStream(stdout, enc)
		if name != "-" {
			if to, err = emit.NewFile(name, enc); err != nil {
				return nil, errors.Join(usage("--output: %w", err), out.close(context.Background()))
			}
		}
		out.all = append(out.all, output{name, to})
	}
	return out, nil
}

// block is one [[inputs.netstat]] block that runs.
type block struct {
	collector *netstat.Collector
	interval  time.Duration
}

// loop gathers at once and then at the interval, until ctx ends or nobody reads
// what is written. What goes wrong in one round is logged; the next may do.
func (b *block) loop(ctx context.Context, out *outputs) error {
	tick := time.NewTicker(b.interval)
	defer tick.Stop()
	for {
		err := out.gather(ctx, b)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, syscall.EPIPE):
			return err
		case err != nil:
			out.log.error(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// outputs are all the places where metrics go. Blocks share them.
type outputs struct {
	mu  sync.Mutex
	all []output
	log logger
}

type output struct {
	name string
	emit.Output
}

// gather counts once and delivers the result to each output, whatever becomes
// of the others.
func (o *outputs) gather(ctx context.Context, b *block) error {
	metrics, err := b.collector.Gather(ctx)
	if len(metrics) == 0 {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, to := range o.all {
		if e := to.Write(ctx, metrics); e != nil {
			err = errors.Join(err, fmt.Errorf("write to --output %s: %w", to.name, e))
		}
	}
	return err
}

func (o *outputs) close(ctx context.Context) error {
	var errs []error
	for _, to := range o.all {
		if err := to.Close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close --output %s: %w", to.name, err))
		}
	}
	return errors.Join(errs...)
}
