package cli

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/l4stat/l4stat/internal/watch"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// watchFlags are the flags of l4stat watch but for those of the groups.
type watchFlags struct {
	config    string
	output    string
	json      bool
	bits      bool
	noColor   bool
	noHeaders bool
}

func newWatch() *cobra.Command {
	var f watchFlags
	groups := watch.Groups()
	cmd := &cobra.Command{
		Use:     "watch [flags] [delay [count]]",
		Short:   "Show sockets by state and the kernel's counters, line by line",
		Long:    watchHelp(groups),
		Example: watchExample,
		Args:    watchArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWatch(cmd, args, &f, groups)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false // the order given is that of the columns
	for _, g := range groups {
		short := ""
		if g.Name == "time" {
			short = "t"
		}
		flags.BoolP(g.Name, short, false, g.About)
	}
	flags.Bool(watch.PortsGroup, false, "connections and UDP sockets by addr_ports group of --config")
	flags.StringVar(&f.config, "config", "", "read the addr_ports groups of --groups from `FILE`")
	flags.StringVar(&f.output, "output", "", "write dstat's CSV to `FILE` as well, appending")
	flags.BoolVar(&f.json, "json", false, "write an object a line rather than columns")
	flags.BoolVar(&f.bits, "bits", false, "show bits rather than bytes per second")
	flags.BoolVar(&f.noColor, "nocolor", false, "no colours; so does the environment variable NO_COLOR")
	flags.BoolVar(&f.noHeaders, "noheaders", false, "no headers")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) == 1 && strings.Contains("0123456789.", unknown.GetSpecifiedName()) {
			return fmt.Errorf("-%s: delay and count are numbers above 0, such as 0.5 and 10", unknown.GetSpecifiedShortnames())
		}
		return flagError(cmd, err)
	})
	return cmd
}

const watchExample = `  l4stat watch
  l4stat watch --time --tcp --drops 0.5
  l4stat watch --tcp --udp --output l4.csv 1 3600
  l4stat watch --groups --config /etc/l4stat/netstat.conf
  l4stat watch --json 10 | jq .tcp.act`

// watchHelp documents each group and its columns.
func watchHelp(groups []watch.Group) string {
	var b strings.Builder
	b.WriteString(`Write a line of figures at once and then every delay, 1 second if not said, until
there are count lines or SIGINT; then the minimum, the average and the maximum of
each column. The columns are those of the groups that flags name, in the order of
the flags; --tcp --udp if none does.

States are as of now, counted in one pass over the kernel's tables of sockets,
IPv4 and IPv6 together. Rates are per second of the time that really passed since
the line before, so the first line has none. A figure that is not known is -. A
delay that is too short to count this host's sockets is refused.

On a terminal the header comes again with each screen, and groups that it has no
room for are left out, those at the right first. To a pipe there is one header
and no colour.

--output writes the CSV of dstat --output: its header, then figures in full, what
dstat does not have at the right; in bytes also with --bits. --json has the names below as keys of each group's object.

The columns, and where they are from:
`)
	for _, g := range groups {
		name := "--" + g.Name
		if g.Name == "time" {
			name = "-t, " + name
		}
		fmt.Fprintf(&b, "\n%s: %s\n", name, g.About)
		for _, block := range g.Blocks {
			for _, c := range block.Columns {
				fmt.Fprintf(&b, "  %-4s  %s\n        (%s)\n", c.Name, c.Meaning, c.Source)
			}
		}
	}
	b.WriteString(`
--groups: a column for each addr_ports group of --config, or of the environment
variable ` + netstat.EnvAddrPorts + `: connections that are ESTABLISHED and UDP
sockets. A socket counts in the first entry that matches, as in netstat_port. The
column has the value of the group's tag service, or of its first tag, or else its
entries.`)
	return b.String()
}

const delayRemedy = "give seconds above 0, such as 1 or 0.5"

func watchArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 2 {
		return fmt.Errorf("%q is one argument too many; give delay and count", args[2])
	}
	return nil
}

// delayAndCount reads the arguments.
func delayAndCount(args []string) (time.Duration, int, error) {
	delay, count := time.Second, 0
	if len(args) > 0 {
		seconds, err := strconv.ParseFloat(args[0], 64)
		switch {
		case err != nil, math.IsNaN(seconds), seconds <= 0:
			return 0, 0, usage("delay %q: %s", args[0], delayRemedy)
		case seconds < netstat.MinInterval.Seconds():
			return 0, 0, usage("delay %q: give %v seconds or more", args[0], netstat.MinInterval.Seconds())
		case seconds > math.MaxInt64/1e9:
			return 0, 0, usage("delay %q: %s", args[0], delayRemedy)
		}
		delay = time.Duration(seconds * float64(time.Second))
	}
	if len(args) > 1 {
		var err error
		if count, err = strconv.Atoi(args[1]); err != nil || count < 1 {
			return 0, 0, usage("count %q: give a number of lines above 0, or leave it out to go on until Ctrl-C", args[1])
		}
	}
	return delay, count, nil
}

func runWatch(cmd *cobra.Command, args []string, f *watchFlags, groups []watch.Group) (err error) {
	log := newLogger(cmd.ErrOrStderr())
	delay, count, err := delayAndCount(args)
	if err != nil {
		return err
	}
	warn, warnOnce := fitting(cmd.ErrOrStderr(), log.Warn), fitting(cmd.ErrOrStderr(), log.WarnOnce)
	blocks, kind, err := f.blocks(cmd, groups)
	if err != nil {
		return err
	}
	source, err := socket.Open(kind, socket.Options{Warn: warnOnce})
	if err != nil {
		return &usageError{err}
	}
	defer func() {
		if closeErr := source.Close(); err == nil {
			err = closeErr
		}
	}()

	o := watch.Options{
		Sampler: watch.NewSampler(blocks, source, socket.ProcRoot(), warnOnce),
		Delay:   delay,
		Count:   count,
		Outputs: []watch.Output{f.display(cmd, blocks)}, // first, to show the summary also where the file has failed
		Warn:    warn,
	}
	if f.output == "-" {
		return usage("--output -: give a file; for a program to read standard output there is --json")
	}
	if f.output != "" {
		csv, err := watch.OpenCSV(f.output, blocks, "l4stat "+strings.Join(os.Args[1:], " "), warn)
		if err != nil {
			return usage("--output: %w", err)
		}
		o.Outputs = append(o.Outputs, csv)
	}
	err = watch.Run(cmd.Context(), o)
	var refused *watch.DelayError
	if errors.As(err, &refused) {
		return &usageError{err}
	}
	return err
}

// blocks gives the blocks of the groups that the flags name, in their order, and
// the kind of source to read sockets from.
func (f *watchFlags) blocks(cmd *cobra.Command, groups []watch.Group) (blocks []*watch.Block, kind string, err error) {
	named := map[string]watch.Group{}
	for _, g := range groups {
		named[g.Name] = g
	}
	kind = socket.Auto
	if on, _ := cmd.Flags().GetBool(watch.PortsGroup); on {
		warnOfEnv(cmd)
		var g watch.Group
		if g, kind, err = f.ports(); err != nil {
			return nil, "", &usageError{err}
		}
		named[g.Name] = g
	} else if f.config != "" {
		return nil, "", usage("--config %s: this is for --groups; add that", f.config)
	}
	figures := false
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if g, ok := named[flag.Name]; ok && flag.Value.String() == "true" {
			blocks = append(blocks, g.Blocks...)
			figures = figures || g.Name != "time"
		}
	})
	if !figures {
		blocks = append(append(blocks, named["tcp"].Blocks...), named["udp"].Blocks...)
	}
	return blocks, kind, nil
}

// ports makes the group of --groups.
func (f *watchFlags) ports() (g watch.Group, kind string, err error) {
	configs, err := netstat.LoadWithEnv(f.config, os.LookupEnv)
	if err != nil {
		return g, "", err
	}
	n := 0
	for _, c := range configs {
		n += len(c.Groups)
	}
	switch {
	case n == 0 && f.config == "":
		return g, "", errors.New("--groups: name a file that has addr_ports groups with --config")
	case n == 0:
		return g, "", fmt.Errorf("--groups: %s has no addr_ports groups; add one, or leave --groups out", f.config)
	}
	g, err = watch.NewPorts(configs)
	return g, configs[0].Source, err
}

// display is what writes to standard output.
func (f *watchFlags) display(cmd *cobra.Command, blocks []*watch.Block) watch.Output {
	out := cmd.OutOrStdout()
	if f.json {
		return &watch.JSON{W: out, Blocks: blocks}
	}
	s := &watch.Screen{W: out, Blocks: blocks, NoHeaders: f.noHeaders, Bits: f.bits}
	if fd, ok := terminal(out); ok {
		s.Color = !f.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && allowColor(fd)
		s.Size = func() (int, int) {
			width, height, err := term.GetSize(fd)
			if err != nil || width <= 0 || height <= 0 { // not every terminal says
				return 80, 24
			}
			return width, height
		}
	}
	return s
}

// fitting has warnings to a terminal folded between words: the live view is not
// to be broken up by lines that the terminal wraps.
func fitting(to io.Writer, warn func(string)) func(string) {
	file, ok := to.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return warn
	}
	return func(message string) {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			width = 80
		}
		warn(strings.Join(watch.Fold(message, max(width-len(warningPrefix), 1)), "\n"))
	}
}

// terminal gives the descriptor of standard output where that is a terminal.
func terminal(out io.Writer) (fd int, ok bool) {
	standard, ok := out.(standardOutput)
	if !ok {
		return 0, false
	}
	file, ok := standard.w.(*os.File)
	if !ok {
		return 0, false
	}
	fd = int(file.Fd())
	return fd, term.IsTerminal(fd)
}
