package cli

import (
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
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			configs, err := netstat.LoadFile(args[0])
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
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: ok, [[inputs.netstat]] blocks: %d, entries: %d\n", args[0], len(configs), entries)
			return err
		},
	})
	return cmd
}
