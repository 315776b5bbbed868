package main

import (
	"context"
	"strings"
	"time"

	tg "github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"
	_ "github.com/influxdata/telegraf/plugins/inputs/netstat" // registers it
)

// telegraf is Telegraf's built-in [[inputs.netstat]].
var telegraf = subject{"Telegraf's built-in inputs.netstat", func(context.Context) (func() (int, error), error) {
	input := inputs.Inputs["netstat"]()
	return func() (int, error) {
		acc := &sum{}
		err := input.Gather(acc)
		return acc.tcp, err
	}, nil
}}

// sum is an accumulator that adds up the TCP fields.
type sum struct {
	tg.Accumulator // the rest, which the input does not call
	tcp            int
}

func (s *sum) AddFields(_ string, fields map[string]any, _ map[string]string, _ ...time.Time) {
	for key, value := range fields {
		// tcp_none has the Unix sockets.
		if n, ok := value.(int); ok && strings.HasPrefix(key, "tcp_") && key != "tcp_none" {
			s.tcp += n
		}
	}
}
