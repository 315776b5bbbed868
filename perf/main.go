// Command perf measures l4stat beside what people use today, on real sockets that
// it makes in network namespaces of its own, and prints the tables of
// docs/performance.md. It fails when a claim made there is not met.
//
// It needs Linux, root, and the programs ip, ss and go.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/l4stat/l4stat/internal/load"
	"golang.org/x/sys/unix"
)

func main() {
	if load.Main() {
		return
	}
	if role := os.Getenv(worldMarker); role != "" {
		if err := inhabit(role); err != nil {
			fmt.Fprintln(os.Stderr, "perf:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if os.Getenv(marker) != "" {
		err = child(ctx, os.Args[1])
	} else {
		err = run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "perf:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var s settings
	flag.IntVar(&s.Sockets, "sockets", 100_000, "how many sockets processes hold for the comparison; TIME_WAITs come on top")
	flag.IntVar(&s.Rounds, "rounds", 9, "how many times each is measured")
	flag.DurationVar(&s.Stress, "stress", 10*time.Minute, "how long the stress run takes")
	names := flag.String("parts", "", "the parts to run, of crowd, conns, owners, growth, rows and stress, separated by commas; all if empty")
	write := flag.Bool("write", false, "put the tables, those of -parts alone if given, else all and the plot, into docs/performance.md")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	switch {
	case s.Sockets < 1000:
		return fmt.Errorf("-sockets %d: use at least 1000", s.Sockets)
	case s.Rounds < 1:
		return fmt.Errorf("-rounds %d: use at least 1", s.Rounds)
	case s.Stress < 5*time.Second:
		return fmt.Errorf("-stress %v: use at least 5s", s.Stress)
	}
	selected, err := selectParts(*names)
	if err != nil {
		return err
	}

	root, err := goTool(ctx, "list", "-m", "-f", "{{.Dir}}", "github.com/l4stat/l4stat")
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "l4stat-perf")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s.Program = filepath.Join(dir, "l4stat")
	if _, err := goTool(ctx, "build", "-C", root, "-o", s.Program, "./cmd/l4stat"); err != nil {
		return err
	}
	if *write && *names == "" {
		s.Plot = filepath.Join(root, "docs", "performance.png")
	}

	var report bytes.Buffer
	fmt.Fprintf(&report, "%s\n\n", machine())
	var sections []section
	for _, p := range selected {
		fmt.Fprintf(os.Stderr, "measuring: %s\n", p.name)
		more, err := p.isolate(ctx, s)
		if err != nil {
			return err
		}
		for i := range more {
			more[i].write(&report)
		}
		sections = append(sections, more...)
	}
	failed := writeClaims(&report, sections)
	if _, err := os.Stdout.Write(report.Bytes()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d claims are not met", failed)
	}
	if !*write {
		return nil
	}
	path := filepath.Join(root, "docs", "performance.md")
	return replaceReport(path, func(old string) string {
		if *names != "" {
			return updateReport(old, sections)
		}
		return report.String()
	})
}

// machine says what the figures were measured on.
func machine() string {
	var u unix.Utsname
	_ = unix.Uname(&u) // which fails for a bad address only
	return fmt.Sprintf("Linux %s, %d cores, %s %s, %s.",
		unix.ByteSliceToString(u.Release[:]), runtime.NumCPU(), runtime.Version(), runtime.GOARCH, time.Now().Format(time.DateOnly))
}

// The report stands between these lines.
const (
	beginReport = "<!-- begin of what the command prints -->\n"
	endReport   = "<!-- end of what the command prints -->\n"
)

// replaceReport has the report in the file at path made anew from the old one.
func replaceReport(path string, make func(old string) string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(text), beginReport)
	old, tail, ok2 := strings.Cut(rest, endReport)
	if !ok || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q to put the report between", path, beginReport, endReport)
	}
	return os.WriteFile(path, []byte(head+beginReport+"\n"+make(strings.TrimPrefix(old, "\n"))+endReport+tail), 0o644)
}

func goTool(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
