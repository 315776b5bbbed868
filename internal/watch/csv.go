package watch

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"
)

// CSV writes samples to a file as dstat 0.8 does with --output: six lines of
// header, then a row for each sample, figures in full. A file that has something
// already is appended to, after two empty lines and without the header's first
// two. What dstat does not have comes after what it has, so that a reader who
// goes by position finds dstat's columns.
type CSV struct {
	file    *os.File
	blocks  []*Block
	order   []int // of the blocks in a row
	command string
	began   bool
	warn    func(string)
	lost    error // why rows are missing
}

// OpenCSV opens the file for blocks. The header names the command that the user
// gave. warn is told, once, when rows cannot be written; the run goes on, and End
// gives the error.
func OpenCSV(path string, blocks []*Block, command string, warn func(string)) (*CSV, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, err
	}
	c := &CSV{file: f, blocks: blocks, command: command, warn: warn}
	for _, added := range []bool{false, true} {
		for i, b := range blocks {
			if b.added == added {
				c.order = append(c.order, i)
			}
		}
	}
	return c, nil
}

// Row writes a row, below the header if it is the first.
func (c *CSV) Row(sample *Sample) error {
	var b strings.Builder
	if !c.began {
		if err := c.header(&b, sample.Time); err != nil {
			return err
		}
	}
	var figures []string
	for _, i := range c.order {
		for j, column := range c.blocks[i].Columns {
			text := exact(sample.Values[i][j])
			if column.unit == clock {
				text, _ = column.format(sample.Values[i][j], Style{})
			}
			figures = append(figures, text)
		}
	}
	b.WriteString(strings.Join(figures, ",") + "\n")
	c.write(b.String())
	return nil
}

// write appends whole lines or nothing, so that what comes after a full disk does
// not go on within a line.
func (c *CSV) write(text string) {
	n, err := c.file.WriteString(text)
	if err == nil {
		c.began = true
		return
	}
	if n > 0 {
		if end, seekErr := c.file.Seek(0, io.SeekEnd); seekErr == nil {
			err = errors.Join(err, c.file.Truncate(end-int64(n)))
		}
	}
	if c.lost == nil {
		c.lost = fmt.Errorf("--output: rows are missing: %w", err)
		c.warn(fmt.Sprintf("--output: rows will be missing: %v", err))
	}
}

// End closes the file. The summary is not in it: programs read it.
func (c *CSV) End(*Summary) error {
	return errors.Join(c.lost, c.file.Close())
}

// header writes dstat's header.
func (c *CSV) header(b *strings.Builder, at time.Time) error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		// What reads dstat's files knows them by this line.
		b.WriteString(quote("Dstat 0.8.0 CSV output") + "\n")
		c.names(b, "Author:", "l4stat", "URL:", "https://github.com/l4stat/l4stat")
	} else {
		b.WriteString("\n\n")
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	c.names(b, "Host:", host, "User:", name)
	c.names(b, "Cmdline:", c.command, "Date:", at.Format("02 Jan 2006 15:04:05 MST"))
	var titles, columns []string
	for _, i := range c.order {
		block := c.blocks[i]
		titles = append(titles, quote(block.Title)+strings.Repeat(",", len(block.Columns)-1))
		for _, column := range block.Columns {
			name := column.Name
			if c.apart(block) {
				name = block.Title + ":" + name
			}
			columns = append(columns, quote(name))
		}
	}
	b.WriteString(strings.Join(titles, ",") + "\n" + strings.Join(columns, ",") + "\n")
	return nil
}

// apart reports whether a block is of one item beside blocks of others. dstat
// puts the item into the columns' names then.
func (c *CSV) apart(block *Block) bool {
	return block.item != "" && slices.ContainsFunc(c.blocks, func(b *Block) bool {
		return b != block && b.group == block.group
	})
}

// names writes a line of two names and their values.
func (c *CSV) names(b *strings.Builder, name1, value1, name2, value2 string) {
	fmt.Fprintf(b, "%s,%s,,,,%s,%s\n", quote(name1), quote(value1), quote(name2), quote(value2))
}

// quote quotes text, as dstat does whether it must be or not.
func quote(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
