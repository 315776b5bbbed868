package counters

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/netstat/metric"
)

// TestReadme holds that README's tables of the counters are the sets. With
// -update it writes them.
func TestReadme(t *testing.T) {
	const path = "../../README.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, s := range Sets() {
		head := fmt.Sprintf("| `netstat_%s` | kernel source | unit | kind |\n|---|---|---|---|\n", s.Name)
		before, after, ok := strings.Cut(readme, head)
		if !ok {
			t.Errorf("README has no table that begins with\n%s", head)
			continue
		}
		var want, got strings.Builder
		for _, f := range s.Fields {
			unit, kind := f.Unit, f.Kind
			if kind == metric.Text {
				unit, kind = "text", metric.Gauge
			}
			fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", f.Key, f.Source, unit, kind)
		}
		for line := range strings.Lines(after) {
			if !strings.HasPrefix(line, "|") {
				break
			}
			got.WriteString(line)
		}
		if !*update && got.String() != want.String() {
			t.Errorf("README's table of netstat_%s is not that of the set, which go test -update writes:\n%s", s.Name, want.String())
		}
		readme = before + head + want.String() + strings.TrimPrefix(after, got.String())
	}
	if *update {
		if err := os.WriteFile(path, []byte(readme), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
