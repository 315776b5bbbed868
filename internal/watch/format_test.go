package watch

import (
	"math"
	"testing"
)

func TestFormat(t *testing.T) {
	t.Parallel()
	tests := []struct {
		unit unit
		bits bool
		v    float64
		want string
		m    magnitude
	}{
		{count, false, 0, "  0 ", noMagnitude},
		{count, false, 1, "  1 ", ones},
		{count, false, 999, "999 ", ones},
		{count, false, 1000, "1.0k", thousands},
		{count, false, 1550, "1.6k", thousands},
		{count, false, 9949, "9.9k", thousands},
		{count, false, 9999, " 10k", thousands},
		{count, false, 56000, " 56k", thousands},
		{count, false, 999400, "999k", thousands},
		{count, false, 999600, "1.0M", millions},
		{count, false, 1234567, "1.2M", millions},
		{count, false, 2e9, "2.0G", more},
		{count, false, 1e17, "100P", more},
		{count, false, 0.25, "0.2 ", ones},
		{count, false, 9.96, " 10 ", ones},
		{count, false, 49.98, " 50 ", ones},
		{count, false, 199.7, "200 ", ones},
		{count, false, 999.7, "1.0k", thousands},
		{count, false, math.NaN(), "  - ", noMagnitude},
		{bytes, false, 0, "   0 ", noMagnitude},
		{bytes, false, 512, " 512B", ones},
		{bytes, false, 9999, "9999B", ones},
		{bytes, false, 10240, "10.0k", thousands},
		{bytes, false, 1 << 30, "1024M", millions},
		{bytes, true, 512, "4096b", ones},
		{bytes, true, 1250, "10.0k", thousands},
		{bytes, false, math.NaN(), "   - ", noMagnitude},
		{percent, false, 0, "  0", noMagnitude},
		{percent, false, 33.4, " 33", ones},
		{percent, false, 34, " 34", thousands},
		{percent, false, 68, " 68", millions},
		{percent, false, 100, "100", millions},
		{percent, false, math.NaN(), "  -", noMagnitude},
	}
	for _, tt := range tests {
		c := Column{Name: "x", unit: tt.unit}
		got, m := c.format(tt.v, Style{Bits: tt.bits})
		if got != tt.want || m != tt.m {
			t.Errorf("unit %d, bits %v: %v is %q with magnitude %d, want %q with %d", tt.unit, tt.bits, tt.v, got, m, tt.want, tt.m)
		}
		if len(got) != c.width() {
			t.Errorf("%q has %d characters, the column %d", got, len(got), c.width())
		}
	}
}

// TestFormatWidth has numbers of every size fit.
func TestFormatWidth(t *testing.T) {
	t.Parallel()
	for _, u := range []unit{count, bytes} {
		c := Column{Name: "x", unit: u}
		for v := 0.001; v < 1e20; v *= 1.0713 {
			for _, v := range []float64{v, math.Trunc(v)} {
				for _, bits := range []bool{false, true} {
					for d := range AllDecimals + 1 {
						if got, _ := c.format(v, Style{Bits: bits, Decimals: d}); len(got) != c.width() {
							t.Fatalf("unit %d, decimals %d: %v is %q, of %d characters, want %d", u, d, v, got, len(got), c.width())
						}
					}
				}
			}
		}
	}
}

func TestExact(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 5: "5", 1.5: "1.500", 199.98765: "199.988", 24305184768: "24305184768"} {
		if got := exact(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	if got := exact(math.NaN()); got != "" {
		t.Errorf("an unknown figure is %q, want none", got)
	}
}

// TestDecimals has figures with decimals as dstat's --integer and --float have
// them.
func TestDecimals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		unit            unit
		v               float64
		some, none, all string
	}{
		{count, 0, "  0 ", "  0 ", "  0 "},
		{count, 1, "  1 ", "  1 ", "1.0 "},
		{count, 0.25, "0.2 ", "  0 ", "0.2 "},
		{count, 49.98, " 50 ", " 50 ", " 50 "},
		{count, 1550, "1.6k", "  2k", "1.6k"},
		{bytes, 2.5, " 2.5B", "   2B", "2.50B"},
		{bytes, 512, " 512B", " 512B", " 512B"},
		{bytes, 10240, "10.0k", "  10k", "10.0k"},
		{bytes, 17.5 * 1024 * 1024 * 1024, "17.5G", "  18G", "17.5G"},
		{percent, 33.4, " 33", " 33", " 33"},
		{percent, 0.42, "  0", "  0", "0.4"},
		{percent, 100, "100", "100", "100"},
		{epoch, 1795547415.9, "1795547415", "1795547415", "1795547415"},
	} {
		for d, want := range map[Decimals]string{SomeDecimals: tt.some, NoDecimals: tt.none, AllDecimals: tt.all} {
			c := Column{Name: "x", unit: tt.unit}
			if got, _ := c.format(tt.v, Style{Decimals: d}); got != want {
				t.Errorf("unit %d, decimals %d: %v is %q, want %q", tt.unit, d, tt.v, got, want)
			}
		}
	}
}
