package main

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
)

// ss lists TCP sockets, a line each, to a reader that counts them.
var ss = subject{"ss -Htan", func(ctx context.Context) (func() (int, error), error) {
	return func() (int, error) {
		cmd := exec.CommandContext(ctx, "ss", "-Htan")
		out, err := cmd.StdoutPipe()
		if err != nil {
			return 0, fmt.Errorf("ss: %w", err)
		}
		if err := cmd.Start(); err != nil {
			return 0, fmt.Errorf("ss: %w", err)
		}
		tcp := 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			tcp++
		}
		if err := cmd.Wait(); err != nil {
			return 0, fmt.Errorf("ss: %w", err)
		}
		return tcp, lines.Err()
	}, nil
}}
