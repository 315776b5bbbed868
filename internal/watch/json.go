package watch

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
)

// JSON writes samples as objects, one a line: the time, the seconds since the
// sample before, and an object for each group, which has an object for each item
// of a group that shows items apart. What is unknown is null. The summary is an
// object with the key summary.
type JSON struct {
	W      io.Writer
	Blocks []*Block
}

// Row writes the object of a sample.
func (j *JSON) Row(sample *Sample) error {
	return j.write(`{"time":"` + sample.Time.Format(time.RFC3339Nano) + `","interval":` +
		strconv.FormatFloat(sample.Elapsed.Round(time.Microsecond).Seconds(), 'f', -1, 64) + j.groups(sample.Values) + "}\n")
}

// End writes the object of the summary.
func (j *JSON) End(s *Summary) error {
	object := `{"summary":{"samples":` + strconv.Itoa(s.Samples) + `,"seconds":` + exact(s.Time.Seconds())
	for _, of := range []struct {
		name   string
		values [][]float64
	}{{"min", s.Min}, {"avg", s.Avg}, {"max", s.Max}} {
		object += `,"` + of.name + `":{` + strings.TrimPrefix(j.groups(of.values), ",") + "}"
	}
	return j.write(object + "}}\n")
}

func (j *JSON) write(text string) error {
	_, err := io.WriteString(j.W, text)
	return err
}

// groups gives the objects of the groups, in the order of their first blocks. A
// sample has its time already.
func (j *JSON) groups(values [][]float64) string {
	var names []string
	members := map[string][]string{}
	for i, b := range j.Blocks {
		of := jsonMembers(b, values[i])
		if len(of) == 0 {
			continue
		}
		if members[b.group] == nil {
			names = append(names, b.group)
		}
		if b.item != "" {
			of = []string{jsonObject(b.item, of)}
		}
		members[b.group] = append(members[b.group], of...)
	}
	var text strings.Builder
	for _, name := range names {
		text.WriteString("," + jsonObject(name, members[name]))
	}
	return text.String()
}

// jsonMembers gives the members of a block's columns.
func jsonMembers(b *Block, values []float64) (members []string) {
	for k, c := range b.Columns {
		if c.time() {
			continue
		}
		value := exact(values[k])
		if value == "" {
			value = "null"
		}
		members = append(members, jsonString(c.Name)+":"+value)
	}
	return members
}

// jsonObject gives a member that is an object.
func jsonObject(name string, members []string) string {
	return jsonString(name) + ":{" + strings.Join(members, ",") + "}"
}

func jsonString(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string has JSON
	}
	return string(text)
}
