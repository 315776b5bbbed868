// Package metric is what was measured: rows of a measurement, with tags and
// fields, and what each field is. It imports nothing of this module.
package metric

import "time"

// Metric is one row of a measurement. It shares nothing with other metrics but
// what describes its fields, so the receiver may change the rest.
type Metric struct {
	// Name is the measurement, such as "netstat" or "netstat_tcp".
	Name string
	// Tags are in ascending order of their keys, each key once.
	Tags []Tag
	// Fields have each key once. There is at least one.
	Fields []Field
	// Time is when the Gather began, the same in all of its metrics.
	Time time.Time
}

// Tag is a key and a value that name a series.
type Tag struct{ Key, Value string }

// Field is a measured value and what it is. The Desc is shared by all values of
// that field and must not be changed.
type Field struct {
	*Desc
	Value Value
}

// Tag returns the value of the tag, or "" if there is none.
func (m *Metric) Tag(key string) string {
	for _, t := range m.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Field returns the value of the field; ok reports whether there is one.
func (m *Metric) Field(key string) (v Value, ok bool) {
	for _, f := range m.Fields {
		if f.Key == key {
			return f.Value, true
		}
	}
	return Value{}, false
}
