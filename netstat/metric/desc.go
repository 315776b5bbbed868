package metric

// Desc says what a field is. Documentation, help and the metadata of formats
// that have any are made of it.
type Desc struct {
	// Key is the field's name: the kernel's in snake_case where it has one.
	Key string
	// Source is where the figure comes from: the kernel's file and the name
	// there, the netlink attribute, or the member of a structure.
	Source string
	// Unit is what is counted, in the plural, such as "segments" or "bytes"; ""
	// for text.
	Unit string
	// Kind is how values of the field follow each other.
	Kind Kind
}

// Kind is how values of a field follow each other.
type Kind uint8

const (
	// Gauge is a number as of the Gather.
	Gauge Kind = iota
	// Counter is a number that only grows, from 0 when the network namespace,
	// the interface or the connection was made: its differences are what counts.
	Counter
	// Text is no number.
	Text
)

// String returns "gauge", "counter" or "text".
func (k Kind) String() string {
	switch k {
	case Counter:
		return "counter"
	case Text:
		return "text"
	default:
		return "gauge"
	}
}

// Measurement describes the rows of one measurement.
type Measurement struct {
	// Name is that of the rows: "netstat_tcp".
	Name string
	// Include is the name by which the configuration switches it on, or "" for
	// one that is always there.
	Include string
	// Tags are the keys of the tags that the rows have of their own; those of
	// the configuration are added.
	Tags []string
	// Fields are what a row may have, in order.
	Fields []*Desc
}
