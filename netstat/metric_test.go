package netstat_test

import (
	"math"
	"testing"

	"github.com/l4stat/l4stat/netstat"
)

func TestValue(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		v    netstat.Value
		any  any // of the type that tells the kind
		text string
	}{
		{"zero", netstat.Value{}, int64(0), "0"},
		{"integer", netstat.Int(42), int64(42), "42"},
		{"negative integer", netstat.Int(-42), int64(-42), "-42"},
		{"largest integer", netstat.Int(math.MaxInt64), int64(math.MaxInt64), "9223372036854775807"},
		{"smallest integer", netstat.Int(math.MinInt64), int64(math.MinInt64), "-9223372036854775808"},
		{"float", netstat.Float(1.5), 1.5, "1.5"},
		{"float zero", netstat.Float(0), 0.0, "0"},
		{"negative float", netstat.Float(-0.1), -0.1, "-0.1"},
		{"large float", netstat.Float(1e21), 1e21, "1e+21"},
		{"infinity", netstat.Float(math.Inf(1)), math.Inf(1), "+Inf"},
		{"string", netstat.String("10.0.0.1:80"), "10.0.0.1:80", "10.0.0.1:80"},
		{"empty string", netstat.String(""), "", ""},
		{"string of digits", netstat.String("42"), "42", "42"},
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
	values := []netstat.Value{netstat.Int(0), netstat.Int(1), netstat.Float(0), netstat.Float(1), netstat.String(""), netstat.String("1")}
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
	v := netstat.Float(math.NaN())
	if x, ok := v.Float(); !ok || !math.IsNaN(x) {
		t.Errorf("Float() = %v, %t, want NaN, true", x, ok)
	}
	if v.String() != "NaN" {
		t.Errorf("String() = %q, want NaN", v.String())
	}
}

func TestMetricTag(t *testing.T) {
	t.Parallel()
	m := netstat.Metric{Tags: []netstat.Tag{{Key: "addr_port", Value: "80"}, {Key: "ip_version", Value: "4"}}}
	for key, want := range map[string]string{"addr_port": "80", "ip_version": "4", "host": "", "": "", "80": ""} {
		if got := m.Tag(key); got != want {
			t.Errorf("Tag(%q) = %q, want %q", key, got, want)
		}
	}
}

func TestMetricField(t *testing.T) {
	t.Parallel()
	m := netstat.Metric{Fields: []netstat.Field{
		{Key: "tcp_listen", Value: netstat.Int(0)}, {Key: "pid", Value: netstat.Int(42)},
	}}
	tests := []struct {
		key  string
		want netstat.Value
		ok   bool
	}{
		{"tcp_listen", netstat.Int(0), true},
		{"pid", netstat.Int(42), true},
		{"udp_socket", netstat.Value{}, false},
		{"", netstat.Value{}, false},
	}
	for _, tt := range tests {
		if got, ok := m.Field(tt.key); got != tt.want || ok != tt.ok {
			t.Errorf("Field(%q) = %v, %t, want %v, %t", tt.key, got, ok, tt.want, tt.ok)
		}
	}
}
