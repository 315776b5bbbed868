package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/netstat"
)

func newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print a documented configuration, or check one",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := io.WriteString(cmd.OutOrStdout(), netstat.SampleConfig())
			return err
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "check FILE",
		Short: "Say what is wrong with a configuration, if anything",
		Long: `Say what is wrong with the configuration in FILE, or in standard input where that
is -. The exit code is 0 when it can be used, 2 when it cannot.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("name a file to check, or - for standard input")
			case len(args) > 1:
				return fmt.Errorf("%q is one argument too many; check one file at a time", args[1])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			name, configs, err := loadConfig(cmd, args[0])
			if err != nil {
				return &usageError{err}
			}
			entries := 0
			for _, c := range configs {
				for _, w := range c.Warnings() {
					newLogger(cmd.ErrOrStderr()).Warn(w)
				}
				for _, g := range c.Groups {
					entries += len(g.Entries())
				}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok, [[inputs.netstat]] blocks: %d, entries: %d\n", name, len(configs), entries)
			return err
		},
	})
	return cmd
}

// loadConfig loads the configuration of a file, or of standard input where path is
// "-", and returns what to call that in messages.
func loadConfig(cmd *cobra.Command, path string) (name string, configs []netstat.Config, err error) {
	if path != "-" {
		configs, err = netstat.LoadFile(path)
		return path, configs, err
	}
	name = "standard input"
	var data []byte
	read := make(chan error, 1)
	go func() {
		var err error
		data, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), netstat.MaxConfigSize+1)) // Load says that it is too long
		read <- err
	}()
	select {
	case err = <-read:
	case <-cmd.Context().Done(): // nothing else ends a read from a terminal
		err = errors.New("interrupted before its end")
	}
	if err != nil {
		return name, nil, fmt.Errorf("read %s: %w", name, err)
	}
	configs, err = netstat.Load(name, data)
	return name, configs, err
}
