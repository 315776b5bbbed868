package cli

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/l4stat/l4stat/internal/nearest"
)

// This file says what is wrong with a command line, in one line, and what was
// probably meant.

// usageError is a mistake of whoever called the program.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usage(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// noArgs is cobra.NoArgs with what was probably meant.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return fmt.Errorf("unknown command %q; %s", args[0], nearest.Remedy(args[0], commandNames(cmd)...))
	}
	if list, example := openList(cmd, args); list != "" {
		return fmt.Errorf("unknown argument %q; separate %s by commas: %s", args[0], list, example)
	}
	if meant := nearest.Of(args[0], flagNames(cmd)...); meant != "" {
		return fmt.Errorf("unknown argument %q; did you mean --%s?", args[0], meant)
	}
	return fmt.Errorf("unknown argument %q", args[0])
}

// commandNames are those of the commands below cmd.
func commandNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() || c.Name() == "help" {
			names = append(names, c.Name())
		}
	}
	return names
}

// flagNames are those of the flags that cmd takes.
func flagNames(cmd *cobra.Command) []string {
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// listed is the annotation of a flag whose value is a list, with what is in it.
const listed = "l4stat_list"

// list marks flags whose value is a list with commas between what is in it.
func list(cmd *cobra.Command, what string, flags ...string) {
	for _, name := range flags {
		if err := cmd.Flags().SetAnnotation(name, listed, []string{what}); err != nil {
			panic(err) // a flag that stands in this program
		}
	}
}

// openList returns what is in the list of a flag that was given, where the
// arguments after it may have been meant for that list too, and how to write it.
// Of several such flags nobody knows which was meant.
func openList(cmd *cobra.Command, args []string) (what, example string) {
	n := 0
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if len(f.Annotations[listed]) == 0 {
			return
		}
		n++
		values := []string{f.Value.String()}
		if slice, ok := f.Value.(pflag.SliceValue); ok {
			values = slice.GetSlice()
		}
		what, example = f.Annotations[listed][0], flagName(f)+" "+strings.Join(append(slices.Clone(values), args...), ",")
	})
	if n > 1 {
		return "the values of one flag", "VALUE,VALUE"
	}
	return what, example
}

// flagName is the name by which a flag is most often given.
func flagName(f *pflag.Flag) string {
	if f.Shorthand != "" {
		return "-" + f.Shorthand
	}
	return "--" + f.Name
}

// flagError says what is wrong with a flag.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		return unknownFlag(cmd, unknown)
	}
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		remedy := value.Unwrap().Error()
		switch value.GetFlag().Value.Type() {
		case "duration":
			remedy = "give a time with its unit, such as 10s or 500ms"
		case "int":
			remedy = "give a whole number"
		case "bool", "boolfunc":
			remedy = "give true or false, or the flag alone"
		}
		return fmt.Errorf("%s %q: %s", bothNames(value.GetFlag()), value.GetValue(), remedy)
	}
	return err
}

func bothNames(f *pflag.Flag) string {
	if f.Shorthand == "" {
		return "--" + f.Name
	}
	return "-" + f.Shorthand + ", --" + f.Name
}

func unknownFlag(cmd *cobra.Command, e *pflag.NotExistError) error {
	// A command that was misspelt has flags that this one does not.
	if args := cmd.Flags().Args(); len(args) > 0 && cmd.HasAvailableSubCommands() {
		return noArgs(cmd, args)
	}
	typed, written := e.GetSpecifiedName(), "--"+e.GetSpecifiedName()
	if letters := e.GetSpecifiedShortnames(); letters != "" {
		written = "-" + letters
		if len(letters) > 1 { // several flags of one letter, or -once
			typed, _, _ = strings.Cut(letters, "=")
		}
	}
	if meant := nearest.Of(typed, flagNames(cmd)...); meant != "" {
		return fmt.Errorf("unknown flag %s; did you mean --%s?", written, meant)
	}
	if owner := commandWith(cmd.Root(), typed); owner != nil {
		return fmt.Errorf("unknown flag %s; it is one of %s", written, owner.CommandPath())
	}
	if len(typed) > 1 && written != "--"+typed {
		return fmt.Errorf("unknown flag -%s in %s", e.GetSpecifiedName(), written)
	}
	return fmt.Errorf("unknown flag %s", written)
}

// commandWith finds the first command that has the flag, by its whole name and for
// people to use, nil where none has it.
func commandWith(cmd *cobra.Command, flag string) *cobra.Command {
	if f := cmd.Flags().Lookup(flag); f != nil && f.Name == flag && !f.Hidden {
		return cmd
	}
	for _, c := range cmd.Commands() {
		if found := commandWith(c, flag); found != nil && c.IsAvailableCommand() {
			return found
		}
	}
	return nil
}

// warnOfEnv warns of each variable of the environment that is misspelt.
func warnOfEnv(cmd *cobra.Command) {
	for _, w := range misspeltEnv(os.Environ()) {
		newLogger(cmd.ErrOrStderr()).Warn(w)
	}
}

// misspeltEnv returns a warning for each variable of an environment, as
// [os.Environ] has it, that nobody reads though its name says it is for l4stat.
func misspeltEnv(environ []string) []string {
	var warnings []string
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		for _, family := range []struct {
			prefix string
			known  []string
			alone  bool // that nobody else has such variables
		}{
			{envPrefix, []string{"ADDR_PORTS", "INTERVAL", "TAGS"}, true},
			// Kubernetes sets L4STAT_SERVICE_HOST and the like for a service of that name.
			{"L4STAT_", []string{strings.TrimPrefix(envToken, "L4STAT_")}, false},
		} {
			rest, ok := strings.CutPrefix(name, family.prefix)
			if !ok || slices.Contains(family.known, rest) {
				continue
			}
			if meant := nearest.Of(rest, family.known...); meant != "" {
				warnings = append(warnings, fmt.Sprintf("environment: %s is not read; did you mean %s?", name, family.prefix+meant))
			} else if family.alone {
				warnings = append(warnings, fmt.Sprintf("environment: %s is not read; there are %s", name, family.prefix+strings.Join(family.known, ", "+family.prefix)))
			}
		}
	}
	return warnings
}

// envPrefix begins the names of the variables that override a configuration.
const envPrefix = "ENV_INPUT_NETSTAT_"
