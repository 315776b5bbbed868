package netstat_test

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
)

// TestMetricsPage holds that docs/metrics.md has a table of each measurement,
// and that the tables are what Measurements describes. With -update it writes
// those of the measurements that can be included; the meaning of netstat's own
// fields is told by hand.
func TestMetricsPage(t *testing.T) {
	const path = "../docs/metrics.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, m := range netstat.Measurements() {
		if !strings.Contains(page, "\n| `"+m.Name+"` | ") {
			t.Errorf("metrics.md does not say which rows %s has", m.Name)
		}
		if m.Include == "" {
			for _, f := range m.Fields {
				if !strings.Contains(page, "\n| `"+f.Key+"` ") {
					t.Errorf("metrics.md does not say what %s of %s is", f.Key, m.Name)
				}
			}
			continue
		}
		head := fmt.Sprintf("| `%s` | kernel source | unit | kind |\n|---|---|---|---|\n", m.Name)
		before, after, ok := strings.Cut(page, head)
		if !ok {
			t.Errorf("metrics.md has no table that begins with\n%s", head)
			continue
		}
		table := leadingTable(after)
		page = before + head + fieldTable(m.Fields) + strings.TrimPrefix(after, table)
	}
	golden.Compare(t, path, page)
}

// fieldTable returns the rows of a table of fields.
func fieldTable(fields []*metric.Desc) string {
	var b strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Key, f.Source, cmp.Or(f.Unit, "-"), f.Kind)
	}
	return b.String()
}

// leadingTable returns the rows that text begins with.
func leadingTable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			break
		}
		b.WriteString(line)
	}
	return b.String()
}
