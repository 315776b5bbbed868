package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/internal/agent"
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
	include    []string
	tags       []string
	host       string
	precision  string
	outputs    []string

	bufferLimit int
	http        httpFlags
}

func newEmit() *cobra.Command {
	var f emitFlags
	cmd := &cobra.Command{
		Use:   "emit",
		Short: "Count sockets at an interval and write line protocol",
		Long: `Count this host's TCP connections by state, and its UDP sockets, and write the
measurements netstat and netstat_port as line protocol, to standard output unless
--output names another place. It runs until SIGINT or SIGTERM. --include adds the
kernel's counters, such as netstat_tcp.

The environment variables ` + netstat.EnvInterval + `,
` + netstat.EnvAddrPorts + ` and ` + netstat.EnvTags + `
override the configuration file; flags override both.

` + httpHelp,
		Example: `  l4stat emit --once --ports 22,80,443
  l4stat emit --config /etc/l4stat/netstat.conf --output /var/log/netstat.lp
  l4stat emit --output 'http://localhost:8086/write?db=telegraf'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEmit(cmd, &f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.once, "once", false, "count once and exit")
	flags.StringVar(&f.config, "config", "", "read the configuration from `FILE`")
	flags.DurationVar(&f.interval, "interval", netstat.DefaultInterval, "how often to count; overrides the configuration")
	flags.StringSliceVar(&f.ports, "ports", nil, "count these `PORTS` separately, such as 80,443 or 10.0.0.0/8:5432; not with --config")
	flags.StringSliceVar(&f.portsMatch, "ports-match", nil, "count each local address with these `PORTS` separately, such as '*:80'; not with --config")
	flags.StringSliceVar(&f.include, "include", nil, "also report these `SETS` of the kernel's counters, on Linux: tcp, udp, conntrack, interface, route, connection; not with --config")
	flags.StringArrayVar(&f.tags, "tag", nil, "add the tag `KEY=VALUE` to rows that have none of that name (repeatable)")
	flags.StringVar(&f.host, "host", "", `value of the tag host; empty for none (default this host's name)`)
	flags.StringVar(&f.precision, "precision", string(emit.Nanosecond), "timestamp precision: `ns|us|ms|s`")
	flags.StringArrayVar(&f.outputs, "output", []string{"-"}, "write to `FILE`, appending, or to an http:// or https:// write URL; - is standard output (repeatable)")
	flags.IntVar(&f.bufferLimit, "buffer-limit", emit.DefaultBufferLimit, "keep up to `N` undelivered rows for each output, then drop the oldest")
	f.http.add(cmd)
	list(cmd, "ports", "ports", "ports-match")
	list(cmd, "sets", "include")
	return cmd
}

func runEmit(cmd *cobra.Command, f *emitFlags) (err error) {
	log := newLogger(cmd.ErrOrStderr())
	again := f.reloads(cmd)
	warnOfEnv(cmd)
	configs, err := f.configs(cmd)
	if err != nil {
		return &usageError{err}
	}
	tags, err := f.programTags(cmd)
	if err != nil {
		return err
	}
	// What is buffered is written also when a signal ended the run.
	ctx, end := context.WithCancel(cmd.Context())
	defer end()
	var out outputs
	defer func() {
		err = errors.Join(err, out.close(cmd.Context(), f.once))
	}()
	blocks, err := agent.New(configs, log, out.write)
	if err != nil {
		return &usageError{err}
	}
	defer func() {
		err = errors.Join(err, blocks.Close())
	}()
	if err := out.open(f, cmd.OutOrStdout(), tags, log, end); err != nil {
		return err
	}
	if f.once {
		return blocks.Once(ctx)
	}
	warnOfPrecision(log, emit.Precision(f.precision), configs)

	for {
		polling, stop := context.WithCancel(ctx)
		next := make(chan *agent.Agent, 1)
		go func() {
			defer stop()
			next <- f.awaitReload(cmd, again, polling, func(configs []netstat.Config) (*agent.Agent, error) {
				return agent.New(configs, log, out.write)
			})
		}()
		blocks.Run(ctx, polling)
		replacement := <-next
		if replacement == nil {
			return nil
		}
		if err := blocks.Close(); err != nil {
			log.Error(err)
		}
		blocks = replacement
	}
}

// configs gives the blocks to run, from the file or the flags, the environment
// applied.
func (f *emitFlags) configs(cmd *cobra.Command) ([]netstat.Config, error) {
	var groups []netstat.Group
	if cmd.Flags().Changed("ports") {
		groups = append(groups, netstat.Group{Ports: f.ports, Origin: "--ports"})
	}
	if cmd.Flags().Changed("ports-match") {
		groups = append(groups, netstat.Group{PortsMatch: f.portsMatch, Origin: "--ports-match"})
	}
	if f.config != "" && len(groups) > 0 {
		return nil, errors.New("--ports and --ports-match are for use without --config; add the ports to the file")
	}
	if f.config != "" && cmd.Flags().Changed("include") {
		return nil, errors.New("--include is for use without --config; add the key include to the file")
	}
	if cmd.Flags().Changed("include") {
		if err := checkInclude(f.include); err != nil {
			return nil, err
		}
	}
	configs, err := netstat.LoadWithEnv(f.config, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	for i := range configs {
		c := &configs[i]
		if len(groups) > 0 {
			c.Groups = groups
		}
		if len(f.include) > 0 {
			c.Include = f.include
		}
		if cmd.Flags().Changed("interval") {
			if f.interval < netstat.MinInterval {
				return nil, fmt.Errorf("--interval %s: give %s or more, such as 10s", f.interval, netstat.MinInterval)
			}
			c.Interval = f.interval
		}
	}
	return configs, nil
}

// checkInclude reports the first set that there is not, by the name of the flag.
func checkInclude(sets []string) error {
	if len(sets) == 0 {
		return errors.New("--include has no sets; give at least one, or leave it out")
	}
	c := netstat.Config{Include: sets}
	var wrong *netstat.ConfigError
	if !errors.As(c.Validate(), &wrong) {
		return nil
	}
	wrong.Key = "--" + wrong.Key
	return wrong
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
