package main

import (
	"bytes"
	"fmt"
	"strings"
)

// section is a table of the report, with what is claimed of it.
type section struct {
	Title  string
	Text   string
	Header []string
	Rows   [][]string
	Claims []claim
}

// claim is a bound that a figure must keep.
type claim struct {
	What  string
	Value float64
	Unit  string
	Least bool // Bound is the least that it may be, not the most
	Bound float64
}

func (c claim) met() bool {
	if c.Least {
		return c.Value >= c.Bound
	}
	return c.Value <= c.Bound
}

// write writes the section as Markdown.
func (s *section) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "### %s\n\n%s\n\n", s.Title, s.Text)
	writeTable(b, s.Header, s.Rows)
}

// claimsTitle begins the last table of a report.
const claimsTitle = "### What is claimed\n"

// writeClaims writes what all sections claim, and gives how many are not met.
func writeClaims(b *bytes.Buffer, sections []section) (failed int) {
	var rows [][]string
	for _, s := range sections {
		for _, c := range s.Claims {
			if !c.met() {
				failed++
			}
			rows = append(rows, c.row())
		}
	}
	b.WriteString(claimsTitle + "\n")
	writeTable(b, []string{"claim", "bound", "measured", "met"}, rows)
	return failed
}

func (c claim) row() []string {
	bound, verdict := "at most ", "yes"
	if c.Least {
		bound = "at least "
	}
	if !c.met() {
		verdict = "**no**"
	}
	return []string{c.What, bound + figure(c.Bound) + c.Unit, figure(c.Value) + c.Unit, verdict}
}

// updateReport puts sections that were measured apart into a report: each in the
// place of the section with its title, or after all, and their claims likewise.
func updateReport(report string, sections []section) string {
	body, claims, _ := strings.Cut(report, claimsTitle)
	claims = strings.TrimRight(claims, "\n") + "\n"
	for _, s := range sections {
		s.Text += " Measured apart: " + machine()
		var b bytes.Buffer
		s.write(&b)
		before, rest, _ := strings.Cut(body, "### "+s.Title+"\n")
		_, after, more := strings.Cut(rest, "\n### ")
		body = before + b.String()
		if more {
			body += "### " + after
		}
		for _, c := range s.Claims {
			line := "| " + strings.Join(c.row(), " | ") + " |\n"
			before, rest, known := strings.Cut(claims, "| "+c.What+" | ")
			if known {
				_, rest, _ = strings.Cut(rest, "\n")
			}
			claims = before + line + rest
		}
	}
	return body + claimsTitle + claims + "\n"
}

// writeTable writes a Markdown table. Columns after the first hold figures.
func writeTable(b *bytes.Buffer, header []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|---%s|\n", strings.Join(header, " | "), strings.Repeat("|--:", len(header)-1))
	for _, row := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
	b.WriteString("\n")
}

// figure gives three significant digits, and whole numbers from 100 on.
func figure(x float64) string {
	switch {
	case x >= 100 || x == float64(int(x)):
		return thousands(int(x + 0.5))
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	default:
		return fmt.Sprintf("%.2f", x)
	}
}

// thousands gives n as in 12,345.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func milliseconds(seconds float64) string { return figure(seconds*1e3) + " ms" }

// size gives a number of bytes.
func size(bytes float64) string {
	switch {
	case bytes >= 1<<20:
		return figure(bytes/(1<<20)) + " MiB"
	case bytes >= 1<<10:
		return figure(bytes/(1<<10)) + " KiB"
	default:
		return figure(bytes) + " B"
	}
}
