package netstat

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"
)

// The environment variables that override a configuration, named as DataKit's.
const (
	EnvInterval  = "ENV_INPUT_NETSTAT_INTERVAL"   // "10s"
	EnvAddrPorts = "ENV_INPUT_NETSTAT_ADDR_PORTS" // ["1.1.1.1:80","443"]
	EnvTags      = "ENV_INPUT_NETSTAT_TAGS"       // tag1=value1,tag2=value2
)

const (
	environment = "environment" // what stands for a file's name in errors
	envPrefix   = "ENV_INPUT_NETSTAT_"
)

// LoadWithEnv gives the configuration of a program: that of the file, or one
// with the defaults where path is empty, each with the environment applied. See
// [LoadFile] and [Config.ApplyEnv].
func LoadWithEnv(path string, lookup func(string) (string, bool)) ([]Config, error) {
	configs := []Config{DefaultConfig()}
	if path != "" {
		var err error
		if configs, err = LoadFile(path); err != nil {
			return nil, err
		}
	}
	for i := range configs {
		if err := configs[i].ApplyEnv(lookup); err != nil {
			return nil, err
		}
	}
	return configs, nil
}

// ApplyEnv applies the ENV_INPUT_NETSTAT_* variables found by lookup (usually
// os.LookupEnv): they replace the interval and the groups, the latter by one group
// without tags, and add to or replace tags. An empty variable counts as not set.
// The error joins all invalid values as [ConfigError] values.
func (c *Config) ApplyEnv(lookup func(string) (string, bool)) error {
	p := problems{file: environment}
	fail := func(name, value, reason string) { p.add(c.problem(name, value, reason)) }

	if text, _ := lookup(EnvInterval); text != "" {
		d, err := parseInterval(text)
		if err != nil {
			fail(EnvInterval, text, err.Error())
		}
		c.Interval = d
	}
	if text, _ := lookup(EnvAddrPorts); text != "" {
		g := Group{Origin: EnvAddrPorts}
		if err := json.Unmarshal([]byte(text), &g.Ports); err != nil {
			fail(EnvAddrPorts, text, `give a JSON list of strings, such as ["1.1.1.1:80","443"]`)
		} else {
			c.parseGroup(&p, "", g)
		}
		c.Groups = []Group{g}
	}
	if text, _ := lookup(EnvTags); text != "" {
		tags, err := parseTags(text)
		if err != nil {
			fail(EnvTags, text, err.Error())
		}
		c.checkTags(&p, EnvTags, tags)
		all := map[string]string{}
		maps.Copy(all, c.Tags)
		maps.Copy(all, tags)
		c.Tags = all
	}
	return p.err()
}

// parseInterval reads "10s" and the like.
func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errors.New(`not a time; give a number and a unit, such as "10s" or "1m"`)
	}
	return d, checkInterval(d)
}

// checkInterval returns an error for an invalid interval.
func checkInterval(d time.Duration) error {
	switch {
	case d < MinInterval:
		return errors.New(`give 1ms or more, such as "10s"`)
	case d > MaxInterval:
		return fmt.Errorf(`give %dh, which is a year, or less, such as "10s"`, MaxInterval/time.Hour)
	default:
		return nil
	}
}

// parseTags reads "tag1=value1,tag2=value2".
func parseTags(text string) (map[string]string, error) {
	tags := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" || value == "" {
			return nil, fmt.Errorf("%.60q is not a tag; give name=value pairs with commas between, such as tag1=value1,tag2=value2", pair)
		}
		if _, twice := tags[name]; twice {
			return nil, fmt.Errorf("the tag %.60q is there twice; leave one out", name)
		}
		tags[name] = value
	}
	return tags, nil
}
