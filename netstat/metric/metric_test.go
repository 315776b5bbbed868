package metric_test

import (
	"math"
	"testing"

	"github.com/l4stat/l4stat/netstat/metric"
)

func TestValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		v    metric.Value
		any  any // of the type that tells the kind
		text string
	}{
		{"zero", metric.Value{}, int64(0), "0"},
		{"integer", metric.Int(42), int64(42), "42"},
		{"negative integer", metric.Int(-42), int64(-42), "-42"},
		{"largest integer", metric.Int(math.MaxInt64), int64(math.MaxInt64), "9223372036854775807"},
		{"smallest integer", metric.Int(math.MinInt64), int64(math.MinInt64), "-9223372036854775808"},
		{"float", metric.Float(1.5), 1.5, "1.5"},
		{"float zero", metric.Float(0), 0.0, "0"},
		{"negative float", metric.Float(-0.1), -0.1, "-0.1"},
		{"large float", metric.Float(1e21), 1e21, "1e+21"},
		{"infinity", metric.Float(math.Inf(1)), math.Inf(1), "+Inf"},
		{"string", metric.String("10.0.0.1:80"), "10.0.0.1:80", "10.0.0.1:80"},
		{"empty string", metric.String(""), "", ""},
		{"string of digits", metric.String("42"), "42", "42"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.v.Any(); got != tt.any {
				t.Errorf("Any() = %T %v, want %T %v", got, got, tt.any, tt.any)
			}
			if got := tt.v.String(); got != tt.text {
				t.Errorf("String() = %q, want %q", got, tt.text)
			}
			wantInt, isInt := tt.any.(int64)
			if n, ok := tt.v.Int(); ok != isInt || isInt && n != wantInt {
				t.Errorf("Int() = %d, %t, want %d, %t", n, ok, wantInt, isInt)
			}
			wantFloat, isFloat := tt.any.(float64)
			if x, ok := tt.v.Float(); ok != isFloat || isFloat && x != wantFloat {
				t.Errorf("Float() = %v, %t, want %v, %t", x, ok, wantFloat, isFloat)
			}
		})
	}
}

// Values of different kinds are different values.
func TestValueEqual(t *testing.T) {
	t.Parallel()
	values := []metric.Value{metric.Int(0), metric.Int(1), metric.Float(0), metric.Float(1), metric.String(""), metric.String("1")}
	for i, a := range values {
		for j, b := range values {
			if (a == b) != (i == j) {
				t.Errorf("%#v == %#v is %t", a, b, a == b)
			}
		}
	}
}

func TestValueNotANumber(t *testing.T) {
	t.Parallel()
	v := metric.Float(math.NaN())
	if x, ok := v.Float(); !ok || !math.IsNaN(x) {
		t.Errorf("Float() = %v, %t, want NaN, true", x, ok)
	}
	if v.String() != "NaN" {
		t.Errorf("String() = %q, want NaN", v.String())
	}
}

func TestMetricTag(t *testing.T) {
	t.Parallel()
	m := metric.Metric{Tags: []metric.Tag{{Key: "addr_port", Value: "80"}, {Key: "ip_version", Value: "4"}}}
	for key, want := range map[string]string{"addr_port": "80", "ip_version": "4", "host": "", "": "", "80": ""} {
		if got := m.Tag(key); got != want {
			t.Errorf("Tag(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestMetricField(t *testing.T) {
	t.Parallel()
	m := metric.Metric{Fields: []metric.Field{
		{Desc: &metric.Desc{Key: "tcp_listen"}, Value: metric.Int(0)}, {Desc: &metric.Desc{Key: "pid"}, Value: metric.Int(42)},
	}}
	tests := []struct {
		key  string
		want metric.Value
		ok   bool
	}{
		{"tcp_listen", metric.Int(0), true},
		{"pid", metric.Int(42), true},
		{"udp_socket", metric.Value{}, false},
		{"", metric.Value{}, false},
	}
	for _, tt := range tests {
		if got, ok := m.Field(tt.key); got != tt.want || ok != tt.ok {
			t.Errorf("Field(%q) = %v, %t, want %v, %t", tt.key, got, ok, tt.want, tt.ok)
		}
	}
}
