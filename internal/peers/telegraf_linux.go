package peers

import "strings"

// TelegrafComplaints gives the lines of a Telegraf's log that are errors, or
// warnings of its inputs and outputs. What its agent warns of is its defaults.
func TelegrafComplaints(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		// When Telegraf stops a process, its execd now and then reads from a
		// pipe that it has closed already.
		if strings.Contains(line, "file already closed") {
			continue
		}
		if strings.Contains(line, " E! ") || strings.Contains(line, " W! [inputs") || strings.Contains(line, " W! [outputs") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
