package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// EnvDstat is the environment variable whose options come before those of the
// command line, in dstat as in l4stat watch.
const EnvDstat = "DSTAT_OPTS"

// notHere is an option of dstat for what l4stat watch does not show.
type notHere struct {
	name  string // as --name; with "dstat-" before it where dstat has only the letter
	short string // as -short; "" is none
	value bool   // whether it takes one
	what  string // that l4stat watch does not have
	use   string // instead
}

var notHereOptions = []notHere{
	{"all", "a", false, "disks, paging and system counters", "-cn, the rest of -a"},
	{"vmstat", "v", false, "processes, paging, disks and swap", "-mc, the rest of -v, or vmstat"},
	{"disk", "d", false, "disks", "iostat -x"},
	{"dstat-D", "D", true, "disks", "iostat -x"},
	{"page", "g", false, "paging", "vmstat"},
	{"int", "i", false, "interrupts", "vmstat or /proc/interrupts"},
	{"dstat-I", "I", true, "interrupts", "vmstat or /proc/interrupts"},
	{"load", "l", false, "load averages", "uptime"},
	{"proc", "p", false, "processes", "vmstat, or l4stat conns -o process for those of connections"},
	{"io", "r", false, "disks", "iostat -x"},
	{"swap", "s", false, "swap", "vmstat"},
	{"dstat-S", "S", true, "swap", "vmstat"},
	{"sys", "y", false, "interrupts and context switches", "vmstat"},
	{"aio", "", false, "asynchronous I/O", "dstat"},
	{"fs", "", false, "files", "dstat"},
	{"filesystem", "", false, "files", "dstat"},
	{"ipc", "", false, "System V IPC", "ipcs -u"},
	{"lock", "", false, "file locks", "lslocks"},
	{"raw", "", false, "raw sockets alone", "--socket"},
	{"unix", "", false, "Unix sockets", "ss -x"},
	{"vm", "", false, "virtual memory", "vmstat"},
	{"vm-adv", "", false, "virtual memory", "vmstat"},
	{"zones", "", false, "memory zones", "dstat"},
	{"cpu-use", "", false, "such a group", "-c -C all"},
	{"cpu-adv", "", false, "such a group", "-c"},
	{"mem-adv", "", false, "such a group", "-m"},
	{"net-packets", "", false, "packets by interface", "l4stat emit --include interface"},
	{"all-plugins", "", false, "plugins", "what --list names"},
	{"mods", "M", true, "plugins", "what --list names"},
	{"modules", "", true, "plugins", "what --list names"},
	{"bw", "", false, "second set of colours", "the terminal's palette"},
	{"black-on-white", "", false, "second set of colours", "the terminal's palette"},
}

// String gives the option as people type it.
func (o *notHere) String() string {
	long := "--" + o.name
	switch {
	case strings.HasPrefix(o.name, "dstat-"):
		return "-" + o.short
	case o.short != "":
		return "-" + o.short + "/" + long
	}
	return long
}

// notHereError is options of dstat that were given, of what is not here.
type notHereError []*notHere

// Error says in one line what l4stat watch is not, and what to use instead.
func (e notHereError) Error() string {
	var names, missing []string
	for _, o := range e {
		names = append(names, o.String())
		if text := fmt.Sprintf("%s (use %s)", o.what, o.use); !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	return fmt.Sprintf("%s: l4stat watch shows sockets and the network, and has no %s",
		strings.Join(names, ", "), strings.Join(missing, ", "))
}

// addNotHere has flags accept dstat's options of what is not here, and note in
// given those that are used. They are not in the help.
func addNotHere(flags *pflag.FlagSet, given *notHereError) {
	for i := range notHereOptions {
		o := &notHereOptions[i]
		note := func(string) error {
			*given = append(*given, o)
			return nil
		}
		if o.value {
			flags.FuncP(o.name, o.short, "", note)
		} else {
			flags.BoolFuncP(o.name, o.short, "", note)
		}
		flags.Lookup(o.name).Hidden = true
	}
}

// choice adds a flag that sets to to a value. Of flags that set the same, the last
// counts.
func choice[T comparable](flags *pflag.FlagSet, name, usage string, to *T, value T) {
	flags.BoolFunc(name, usage, func(text string) error {
		on, err := strconv.ParseBool(text)
		switch {
		case on:
			*to = value
		case *to == value:
			*to = *new(T)
		}
		return err
	})
	flags.Lookup(name).DefValue = "false"
}

// abbreviations has flags take the beginning of a long flag's name for it where no
// other begins so, as dstat does: --noheader for --noheaders.
func abbreviations(flags *pflag.FlagSet) {
	names := []string{"help"}
	flags.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		var meant []string
		for _, n := range names {
			if n == name {
				return pflag.NormalizedName(name)
			}
			if strings.HasPrefix(n, name) {
				meant = append(meant, n)
			}
		}
		if len(meant) == 1 {
			name = meant[0]
		}
		return pflag.NormalizedName(name)
	})
}
