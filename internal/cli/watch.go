package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/watch"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// watchFlags are the flags of l4stat watch but for those of the groups.
type watchFlags struct {
	config     string
	output     string
	json       bool
	full       bool
	interfaces string
	processors string
	list       bool
	style      watch.Style
	color      color
	noHeaders  bool

	notHere notHereError
	env     dstatEnv
}

// color says whether there are colours.
type color int

const (
	autoColor color = iota // on a terminal that has them
	withColor
	withoutColor
)

// dstatEnv is what the environment variable EnvDstat says beside flags.
type dstatEnv struct {
	args    []string
	notHere notHereError
	err     error
}

func newWatch() *cobra.Command {
	var f watchFlags
	groups := watch.Groups()
	cmd := &cobra.Command{
		Use:     "watch [flags] [delay [count]]",
		Short:   "Show sockets by state and the kernel's counters, line by line",
		Long:    watchHelp(groups),
		Example: watchExample,
		Version: version(),
		Args:    f.checkArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runWatch(cmd, args, &f, groups)
		},
	}
	f.add(cmd.Flags(), groups)
	f.env.read(cmd, &f.notHere)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) == 1 && strings.Contains("0123456789.", unknown.GetSpecifiedName()) {
			return fmt.Errorf("-%s: delay and count are numbers above 0, such as 0.5 and 10", unknown.GetSpecifiedShortnames())
		}
		return flagError(cmd, err)
	})
	return cmd
}

// add adds the flags. Their names and letters are dstat's where dstat has them.
func (f *watchFlags) add(flags *pflag.FlagSet, groups []watch.Group) {
	flags.SortFlags = false // the order given is that of the columns
	for _, g := range groups {
		flags.BoolP(g.Name, g.Short, false, g.About)
	}
	flags.Bool(watch.PortsGroup, false, "connections and UDP sockets by addr_ports group of --config")
	flags.StringVarP(&f.interfaces, "interfaces", "N", "", "show `LIST` apart with -n, such as eth0,lo,total")
	flags.StringVarP(&f.processors, "processors", "C", "", "show `LIST` apart with -c, such as 0,3,total, or all")
	flags.BoolVarP(&f.full, "full", "f", false, "show apart each interface that was used with -n, and each processor with -c")
	flags.BoolVar(&f.list, "list", false, "list the groups of columns, and end")
	flags.StringVar(&f.config, "config", "", "read the addr_ports groups of --groups from `FILE`")
	flags.StringVarP(&f.output, "output", "o", "", "write dstat's CSV to `FILE` as well, appending")
	flags.BoolVar(&f.json, "json", false, "write an object a line rather than columns")
	choice(flags, "bits", "show bits rather than bytes per second", &f.style.Bits, true)
	choice(flags, "bytes", "show bytes per second, as if nothing is said", &f.style.Bits, false)
	choice(flags, "float", "show decimals wherever there is room", &f.style.Decimals, watch.AllDecimals)
	choice(flags, "integer", "show no decimals", &f.style.Decimals, watch.NoDecimals)
	choice(flags, "color", "colours also where standard output is no terminal", &f.color, withColor)
	choice(flags, "nocolor", "no colours; so does the environment variable NO_COLOR", &f.color, withoutColor)
	flags.BoolVar(&f.noHeaders, "noheaders", false, "no headers")
	flags.Bool("noupdate", false, "write a line only when it is final, as always")
	flags.BoolP("version", "V", false, "write the version, and end")
	addNotHere(flags, &f.notHere)
	abbreviations(flags)
}

// read has the flags begin with those of the environment. What of it is not here
// is left out: it is meant for dstat in the first place.
func (e *dstatEnv) read(cmd *cobra.Command, notHere *notHereError) {
	text := os.Getenv(EnvDstat)
	if err := cmd.Flags().Parse(strings.Fields(text)); err != nil {
		e.err = usage("%s=%q: %w; change it, or leave it out with %[1]s= l4stat watch", EnvDstat, text, flagError(cmd, err))
	}
	e.args = cmd.Flags().Args()
	e.notHere, *notHere = *notHere, nil
}

const watchExample = `  l4stat watch
  l4stat watch --time --tcp --drops 0.5
  l4stat watch --tcp --udp --output l4.csv 1 3600
  l4stat watch -tcn -N eth0,lo 5
  l4stat watch --groups --config /etc/l4stat/netstat.conf
  l4stat watch --json 10 | jq .tcp.act`

// watchHelp documents each group and its columns.
func watchHelp(groups []watch.Group) string {
	var b strings.Builder
	b.WriteString(`Write a line of figures at once and then after every delay (1 second by default),
until there are count lines or SIGINT; then the minimum, the average and the
maximum of each column. The columns are those of the groups that flags name, in
the order of the flags; --tcp --udp if none does.

States are as of now, counted in one pass over the kernel's tables of sockets,
IPv4 and IPv6 together. Rates are per second of the time that really passed since
the line before, so the first line has none. A figure that is not known is -. A
delay that is too short to count this host's sockets is refused.

Rates of several things together, such as interfaces, are those of each, added
up: one that comes, goes or begins anew between two lines takes nothing away from
the others. -N, -C and -f show each apart, as in dstat.

On a terminal the header comes again with each screen, which is filled with what
there is room for: whole groups, then columns. A line says what is left out. To a
pipe there is one header and no colour.

--output writes the CSV of dstat --output: its header, then figures in full, what
dstat does not have at the right; in bytes also with --bits. --json has the names
below as keys of each group's object; of what is shown apart, each has an object
within that.

The letters and names of dstat's options are taken, also from the environment
variable ` + EnvDstat + `, whose options come first. The name of a flag may be cut
short where no other begins so. dstat's options for disks and the like say what to
use instead. Of two flags that contradict each other, the last counts.

The columns, and where they are from:
`)
	for _, g := range groups {
		fmt.Fprintf(&b, "\n%s: %s\n", groupFlag(g), g.About)
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

// groupFlag gives the flag of a group as people type it.
func groupFlag(g watch.Group) string {
	if g.Short != "" {
		return "-" + g.Short + ", --" + g.Name
	}
	return "--" + g.Name
}

// writeGroups writes the groups, one a line.
func writeGroups(w io.Writer, groups []watch.Group) error {
	ports := watch.Group{Name: watch.PortsGroup, About: "connections and UDP sockets by addr_ports group of --config"}
	for _, g := range append(slices.Clip(groups), ports) {
		if _, err := fmt.Fprintf(w, "%-13s %s\n", groupFlag(g), g.About); err != nil {
			return err
		}
	}
	return nil
}

func (f *watchFlags) checkArgs(_ *cobra.Command, args []string) error {
	if args = slices.Concat(f.env.args, args); len(args) > 2 {
		return fmt.Errorf("%q is one argument too many; give delay and count", args[2])
	}
	return nil
}

// delayAndCount reads the arguments.
func delayAndCount(args []string) (time.Duration, int, error) {
	delay, count := time.Second, 0
	if len(args) > 0 {
		var err error
		if delay, err = seconds(args[0]); err != nil {
			return 0, 0, usage("delay %q: %w", args[0], err)
		}
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
	if f.list {
		return writeGroups(cmd.OutOrStdout(), groups)
	}
	log := newLogger(cmd.ErrOrStderr())
	delay, count, err := f.options(args)
	if err != nil {
		return err
	}
	warn, warnOnce := fitting(cmd.ErrOrStderr(), log.Warn), fitting(cmd.ErrOrStderr(), log.WarnOnce)
	if len(f.env.notHere) > 0 {
		warn(EnvDstat + ": " + f.env.notHere.Error())
	}
	blocks, kind, err := f.blocks(cmd, groups, warn)
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
		Sampler: watch.NewSampler(blocks, source, kernel.This(), warnOnce),
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

// options checks what does not need the system, and reads the arguments.
func (f *watchFlags) options(args []string) (delay time.Duration, count int, err error) {
	if f.env.err != nil {
		return 0, 0, f.env.err
	}
	if len(f.notHere) > 0 {
		return 0, 0, &usageError{f.notHere}
	}
	return delayAndCount(slices.Concat(f.env.args, args))
}

// blocks gives the blocks of the groups that the flags name, in their order, and
// the kind of source to read sockets from.
func (f *watchFlags) blocks(cmd *cobra.Command, groups []watch.Group, warn func(string)) (blocks []*watch.Block, kind string, err error) {
	named := map[string]watch.Group{}
	for _, g := range groups {
		on := cmd.Flags().Lookup(g.Name).Value.String() == "true"
		if named[g.Name], err = f.apart(cmd.Context(), g, on, warn); err != nil {
			return nil, "", err
		}
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
			figures = figures || !g.Clock()
		}
	})
	if !figures {
		blocks = append(append(blocks, named["tcp"].Blocks...), named["udp"].Blocks...)
	}
	return blocks, kind, nil
}

// apart has a group that is on show what is asked for apart.
func (f *watchFlags) apart(ctx context.Context, g watch.Group, on bool, warn func(string)) (watch.Group, error) {
	var flag, list string
	switch g.Name {
	case "net":
		flag, list = "-N", f.interfaces
	case "cpu":
		flag, list = "-C", f.processors
	}
	switch {
	case !on && list != "":
		warn(fmt.Sprintf("%s %s: this is for -%s; add that", flag, list, g.Short))
		return g, nil
	case !on || !g.Divisible() || list == "" && !f.full:
		return g, nil
	case list != "" && !(g.Name == "cpu" && list == "all"):
		names, err := itemNames(g, list)
		if err != nil {
			return g, usage("%s %q: %w", flag, list, err)
		}
		return g.Of(names), nil
	}
	names, err := g.Items(ctx, kernel.This())
	if err == nil && len(names) == 0 {
		err = errors.New("nothing went through an interface but lo yet")
	}
	if err != nil {
		warn(fmt.Sprintf("--%s shows the total alone: %v", g.Name, err))
		return g, nil
	}
	return g.Of(names), nil
}

// itemNames reads a list such as eth0,lo or 0,total.
func itemNames(g watch.Group, list string) ([]string, error) {
	names := strings.Split(list, ",")
	for _, name := range names {
		if name == "" {
			return nil, errors.New("give names with commas between them, none of them empty")
		}
		if _, err := strconv.ParseUint(name, 10, 32); err != nil && g.Name == "cpu" && name != watch.Total {
			return nil, fmt.Errorf("%q is no processor; give numbers and total, or all", name)
		}
	}
	return names, nil
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
	s := &watch.Screen{W: out, Blocks: blocks, NoHeaders: f.noHeaders, Style: f.style, Color: f.color == withColor}
	if fd, ok := terminal(out); ok {
		wanted := f.color == withColor || f.color == autoColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		s.Color = wanted && allowColor(fd)
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
