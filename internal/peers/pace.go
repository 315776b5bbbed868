package peers

import "strings"

// WithoutPace returns diagnostics without the warning that an interval cannot be
// kept, which is of the machine's load.
func WithoutPace(diagnostics string) string {
	var kept strings.Builder
	for line := range strings.Lines(diagnostics) {
		if !strings.Contains(line, "cannot be kept") {
			kept.WriteString(line)
		}
	}
	return kept.String()
}
