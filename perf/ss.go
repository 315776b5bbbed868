package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
)

// ss lists TCP sockets, a line each, to a reader that counts them.
var ss = lister("ss -Htan", "ss", "-Htan")

// lister is a program that lists TCP sockets, a line each, to a reader that
// counts them.
func lister(name, program string, args ...string) subject {
	return subject{name, func(ctx context.Context) (func() (int, error), error) {
		return func() (int, error) {
			cmd := exec.CommandContext(ctx, program, args...)
			cmd.Stderr = os.Stderr
			out, err := cmd.StdoutPipe()
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			if err := cmd.Start(); err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			tcp := 0
			lines := bufio.NewScanner(out)
			for lines.Scan() {
				tcp++
			}
			if err := cmd.Wait(); err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			return tcp, lines.Err()
		}, nil
	}}
}
