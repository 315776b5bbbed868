package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// part is a set of measurements that is made in a process and a network namespace
// of its own.
type part struct {
	name string
	run  func(ctx context.Context, s settings) ([]section, error)
}

var parts = []part{
	{"crowd", measureCrowd},
	{"conns", measureConns},
	{"owners", measureOwners},
	{"growth", measureGrowth},
	{"rows", measureRows},
	{"stress", measureStress},
}

// settings are what the command line says of how long to measure.
type settings struct {
	Sockets int           // of the crowd
	Rounds  int           // of each comparison
	Stress  time.Duration // how long the stress run takes
	Program string        // l4stat
	Plot    string        // where to write it, "" for nowhere
}

// marker is the environment variable that makes this program one part; its value
// is the settings, as JSON.
const marker = "L4STAT_PERF"

// isolate runs a part in a child that is alone in its network namespace.
func (p part) isolate(ctx context.Context, s settings) ([]section, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", p.name)
	cmd.Env = append(os.Environ(), marker+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 30 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w", p.name, err)
	}
	var sections []section
	if err := json.Unmarshal(out, &sections); err != nil {
		return nil, fmt.Errorf("measure %s: %w", p.name, err)
	}
	return sections, nil
}

// child is what a child of isolate does.
func child(ctx context.Context, name string) error {
	var s settings
	if err := json.Unmarshal([]byte(os.Getenv(marker)), &s); err != nil {
		return err
	}
	for _, p := range parts {
		if p.name == name {
			sections, err := p.run(ctx, s)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(sections)
		}
	}
	return fmt.Errorf("no part %q", name)
}

// selectParts gives the parts of these names, separated by commas.
func selectParts(names string) ([]part, error) {
	if names == "" {
		return parts, nil
	}
	var selected []part
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, p := range parts {
			if p.name == name {
				selected, found = append(selected, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no part %q", name)
		}
	}
	return selected, nil
}
