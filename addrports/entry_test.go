package addrports_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/addrports"
)

// anyAddress stands in tables for an entry without a prefix.
const anyAddress = ""

// checkEntry compares all that an Entry tells.
func checkEntry(t *testing.T, e addrports.Entry, text string, first, last uint16, prefix string, perAddress bool) {
	t.Helper()
	if got := e.String(); got != text {
		t.Errorf("String() = %q, want %q", got, text)
	}
	if gotFirst, gotLast := e.Ports(); gotFirst != first || gotLast != last {
		t.Errorf("Ports() = %d, %d, want %d, %d", gotFirst, gotLast, first, last)
	}
	var want netip.Prefix
	if prefix != anyAddress {
		want = netip.MustParsePrefix(prefix)
	}
	if got, ok := e.Prefix(); got != want || ok != (prefix != anyAddress) {
		t.Errorf("Prefix() = %v, %t, want %v, %t", got, ok, want, prefix != anyAddress)
	}
	if got := e.PerAddress(); got != perAddress {
		t.Errorf("PerAddress() = %t, want %t", got, perAddress)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in          string
		first, last uint16
		prefix      string
	}{
		// Ports and ranges on any address.
		{"80", 80, 80, anyAddress},
		{"1", 1, 1, anyAddress},
		{"65535", 65535, 65535, anyAddress},
		{"8000-8010", 8000, 8010, anyAddress},
		{"80-80", 80, 80, anyAddress},
		{"1-65535", 1, 65535, anyAddress},

		// Zeros in front do not change a port, however many there are.
		{"0080", 80, 80, anyAddress},
		{"000000000065535", 65535, 65535, anyAddress},
		{"007-08", 7, 8, anyAddress},

		// IPv4 addresses and networks.
		{"1.1.1.1:80", 80, 80, "1.1.1.1/32"},
		{"1.1.1.1:8000-8010", 8000, 8010, "1.1.1.1/32"},
		{"0.0.0.0:80", 80, 80, "0.0.0.0/32"}, // the unspecified address itself, not any
		{"[10.0.0.1]:80", 80, 80, "10.0.0.1/32"},
		{"10.0.0.0/8:443", 443, 443, "10.0.0.0/8"},
		{"10.1.2.3/8:443", 443, 443, "10.0.0.0/8"},
		{"10.1.2.3/32:443", 443, 443, "10.1.2.3/32"},
		{"0.0.0.0/0:443", 443, 443, "0.0.0.0/0"},
		{"10.0.0.0/8:1-1024", 1, 1024, "10.0.0.0/8"},

		// IPv6 in brackets.
		{"[2001:db8::1]:80", 80, 80, "2001:db8::1/128"},
		{"[2001:DB8:0::1]:80", 80, 80, "2001:db8::1/128"},
		{"[2001:db8::1]:8000-8010", 8000, 8010, "2001:db8::1/128"},
		{"[::1]:80", 80, 80, "::1/128"},
		{"[::]:80", 80, 80, "::/128"},
		{"[2001:db8::/32]:443", 443, 443, "2001:db8::/32"},
		{"[2001:db8::1/32]:443", 443, 443, "2001:db8::/32"},
		{"[::/0]:443", 443, 443, "::/0"},

		// IPv6 as DataKit writes it: what follows the last colon is the port.
		{"::1:80", 80, 80, "::1/128"},
		{":::80", 80, 80, "::/128"},
		{"2001:db8::1:80", 80, 80, "2001:db8::1/128"},
		{"1:2:3:4:5:6:7:8:80", 80, 80, "1:2:3:4:5:6:7:8/128"},
		{"2001:db8::/32:443", 443, 443, "2001:db8::/32"},
		{"::1:8000-8010", 8000, 8010, "::1/128"},

		// An IPv4-mapped address is IPv4, and so is a network of them.
		{"[::ffff:10.0.0.1]:80", 80, 80, "10.0.0.1/32"},
		{"[::ffff:a00:1]:80", 80, 80, "10.0.0.1/32"},
		{"::ffff:10.0.0.1:80", 80, 80, "10.0.0.1/32"},
		{"[::ffff:10.0.0.0/104]:443", 443, 443, "10.0.0.0/8"},
		{"[::ffff:10.1.2.3/104]:443", 443, 443, "10.0.0.0/8"},
		{"[::ffff:10.1.2.3/128]:443", 443, 443, "10.1.2.3/32"},
		{"[::ffff:0.0.0.0/96]:443", 443, 443, "0.0.0.0/0"},
		// One bit less and the network has addresses that are not mapped.
		{"[::ffff:0.0.0.0/95]:443", 443, 443, "::fffe:0:0/95"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			e, err := addrports.Parse(tt.in)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.in, err)
			}
			checkEntry(t, e, tt.in, tt.first, tt.last, tt.prefix, false)
		})
	}
}

func TestParseErrors(t *testing.T) {
	t.Parallel()
	const (
		give    = "; give a port from 1 to 65535"
		missing = "the port is missing" + give
		address = ` is not an IP address; write one such as "10.0.0.1" or "[2001:db8::1]", or the port alone for any address`
		network = ` is not a network; write an entry such as "10.0.0.0/8:443" or "[2001:db8::/32]:443"`
		zone    = " has a zone, which the kernel's socket tables do not give; leave out what follows the %"
	)
	tests := []struct{ name, in, want string }{
		{"empty", "", missing},
		{"no port", "1.1.1.1:", missing},
		{"IPv4 address alone", "10.0.0.1", `the port is missing; write "10.0.0.1:80", or another port`},
		{"IPv6 address alone", "::1", `the port is missing; write "[::1]:80", or another port`},
		{"IPv6 address in brackets alone", "[2001:db8::1]", `the port is missing; write "[2001:db8::1]:80", or another port`},
		{"IPv6 address of eight groups alone", "1:2:3:4:5:6:7:443", `the port is missing; write "[1:2:3:4:5:6:7:443]:80", or another port`},
		{"asterisk without port", "*:", missing},
		{"colon alone", ":", missing},
		{"colon before a service", ":http", `"http" is not a port number` + give},
		{"no first port", "-80", missing},
		{"no last port", "80-", missing},
		{"dash alone", "-", missing},

		{"port 0", "0", "port 0 does not exist" + give},
		{"port 00", "00", "port 00 does not exist" + give},
		{"port 65536", "65536", "port 65536 does not exist" + give},
		{"port with an address", "1.1.1.1:65536", "port 65536 does not exist" + give},
		{"port beyond 64 bits", "99999999999999999999", "port 99999999999999999999 does not exist" + give},
		{"range from 0", "0-80", "port 0 does not exist" + give},
		{"range to 65536", "80-65536", "port 65536 does not exist" + give},
		{"range backwards", "8010-8000", `the range runs backwards; write "8000-8010"`},
		{"range of three", "1-2-3", `"2-3" is not a port number` + give},

		{"service", "http", `"http" is not a port number` + give},
		{"service with an address", "1.1.1.1:http", `"http" is not a port number` + give},
		{"sign", "+80", `"+80" is not a port number` + give},
		{"negative", "1.1.1.1:-80", missing},
		{"spaces", " 80", `" 80" is not a port number` + give},
		{"space in a range", "80 - 90", `"80 " is not a port number` + give},
		{"two ports", "80,443", `"80,443" is more than one; give each in quotes of its own`},
		{"two ports with an address", "1.1.1.1:80,443", `"80,443" is more than one; give each in quotes of its own`},
		{"hexadecimal", "0x50", `"0x50" is not a port number` + give},
		{"underscore", "8_0", `"8_0" is not a port number` + give},
		{"other digits", "٨٠", `"٨٠" is not a port number` + give},
		{"line feed", "80\n", `"80\n" is not a port number` + give},

		{"colon alone before a port", ":80", `there is no address before the colon; write "80" for any address`},
		{"asterisk", "*:80", `a row for each address is asked for in ports_match = ["*:80"]; in ports, write "80" for any address`},
		{"asterisk, range", "*:1-9", `a row for each address is asked for in ports_match = ["*:1-9"]; in ports, write "1-9" for any address`},

		{"host name", "localhost:80", `"localhost"` + address},
		{"host name in brackets", "[localhost]:80", `"localhost"` + address},
		{"empty brackets", "[]:80", `""` + address},
		{"brackets twice", "[[::1]]:80", `"[::1]"` + address},
		{"bracket not closed", "[::1:80", `"[::1"` + address},
		{"bracket not opened", "::1]:80", `"::1]"` + address},
		{"three octets", "10.0.0:80", `"10.0.0"` + address},
		{"octet 256", "10.0.0.256:80", `"10.0.0.256"` + address},
		{"octet with a zero in front", "10.0.0.01:80", `"10.0.0.01"` + address},
		{"too many groups", "1:2:3:4:5:6:7::8:80", `"1:2:3:4:5:6:7::8"` + address},
		{"space in front", " 1.1.1.1:80", `" 1.1.1.1"` + address},

		{"prefix too long", "10.0.0.0/33:443", `"10.0.0.0/33"` + network},
		{"prefix too long, IPv6", "[2001:db8::/129]:443", `"2001:db8::/129"` + network},
		{"prefix empty", "10.0.0.0/:443", `"10.0.0.0/"` + network},
		{"prefix negative", "10.0.0.0/-1:443", `"10.0.0.0/-1"` + network},
		{"netmask", "10.0.0.0/255.0.0.0:443", `"10.0.0.0/255.0.0.0"` + network},
		{"prefix without address", "/8:443", `"/8"` + network},
		{"prefix outside brackets", "[2001:db8::]/32:443", `"[2001:db8::]/32"` + network},
		{"host name with prefix", "localhost/8:443", `"localhost/8"` + network},

		{"zone", "[fe80::1%eth0]:80", `"fe80::1%eth0"` + zone},
		{"zone without brackets", "fe80::1%eth0:80", `"fe80::1%eth0"` + zone},
		{"zone and prefix", "[fe80::1%eth0/64]:80", `"fe80::1%eth0/64"` + zone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := addrports.Parse(tt.in)
			if err == nil {
				t.Fatalf("Parse(%q) gave %+v, want the error %q", tt.in, e, tt.want)
			}
			if err.Error() != tt.want {
				t.Errorf("Parse(%q):\n got %s\nwant %s", tt.in, err, tt.want)
			}
			if e != (addrports.Entry{}) {
				t.Errorf("Parse(%q) gave %+v beside its error", tt.in, e)
			}
		})
	}
}

func TestParseMatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in          string
		first, last uint16
	}{
		{"*:80", 80, 80},
		{"*:0080", 80, 80},
		{"*:1", 1, 1},
		{"*:65535", 65535, 65535},
		{"*:8000-8010", 8000, 8010},
		{"*:1-65535", 1, 65535},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			t.Parallel()
			e, err := addrports.ParseMatch(tt.in)
			if err != nil {
				t.Fatalf("ParseMatch(%q): %v", tt.in, err)
			}
			checkEntry(t, e, tt.in, tt.first, tt.last, anyAddress, true)
		})
	}
}

func TestParseMatchErrors(t *testing.T) {
	t.Parallel()
	const (
		give = "; give a port from 1 to 65535"
		only = `ports_match takes only "*:port"; write `
		rows = " for a row for each address, or move the entry to ports"
	)
	tests := []struct{ name, in, want string }{
		{"address", "1.1.1.1:80", only + `"*:80"` + rows},
		{"IPv6 address", "[::1]:80", only + `"*:80"` + rows},
		{"IPv6 address without brackets", "::1:80", only + `"*:80"` + rows},
		{"network", "10.0.0.0/8:443", only + `"*:443"` + rows},
		{"port alone", "80", only + `"*:80"` + rows},
		{"range alone", "8000-8010", only + `"*:8000-8010"` + rows},
		{"colon alone before a port", ":80", only + `"*:80"` + rows},
		{"asterisk in brackets", "[*]:80", only + `"*:80"` + rows},
		{"space in front", " *:80", only + `"*:80"` + rows},
		{"address alone", "1.1.1.1", only + `"*:80"` + rows},
		{"IPv6 address alone", "[::1]", only + `"*:80"` + rows},
		{"service alone", "http", only + `"*:80"` + rows},
		{"nothing", "", only + `"*:80"` + rows},

		{"no port", "*:", "the port is missing" + give},
		{"port 0", "*:0", "port 0 does not exist" + give},
		{"port 65536", "*:65536", "port 65536 does not exist" + give},
		{"service", "*:http", `"http" is not a port number` + give},
		{"asterisk for the port", "*:*", `"*" is not a port number` + give},
		{"address after the asterisk", "*:1.1.1.1:80", `"1.1.1.1:80" is not a port number` + give},
		{"range backwards", "*:8010-8000", `the range runs backwards; write "8000-8010"`},
		{"range to 65536", "*:1-65536", "port 65536 does not exist" + give},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := addrports.ParseMatch(tt.in)
			if err == nil {
				t.Fatalf("ParseMatch(%q) gave %+v, want the error %q", tt.in, e, tt.want)
			}
			if err.Error() != tt.want {
				t.Errorf("ParseMatch(%q):\n got %s\nwant %s", tt.in, err, tt.want)
			}
			if e != (addrports.Entry{}) {
				t.Errorf("ParseMatch(%q) gave %+v beside its error", tt.in, e)
			}
		})
	}
}

// checkAccepted checks what holds for every entry that s was accepted as.
func checkAccepted(t *testing.T, s string, e addrports.Entry) {
	t.Helper()
	if e.String() != s {
		t.Errorf("String() = %q, want what was parsed, %q", e.String(), s)
	}
	first, last := e.Ports()
	if first < 1 || last < first {
		t.Errorf("Ports() = %d, %d, want 1 <= first <= last", first, last)
	}
	addr := netip.MustParseAddr("192.0.2.1")
	prefix, narrow := e.Prefix()
	if narrow {
		addr = prefix.Addr()
		if prefix != prefix.Masked() {
			t.Errorf("Prefix() = %v has bits beyond its length", prefix)
		}
		if addr.Is4In6() || addr.Zone() != "" {
			t.Errorf("Prefix() = %v, of an address that no look-up compares with", prefix)
		}
	}
	table := addrports.NewTable([]addrports.Entry{e})
	for _, port := range []uint16{first, last} {
		if i, ok := table.Lookup(netip.AddrPortFrom(addr, port)); i != 0 || !ok {
			t.Errorf("Lookup(%v:%d) = %d, %t, want 0, true", addr, port, i, ok)
		}
		// An address of which nothing is known is any address, and no other.
		if _, ok := table.Lookup(netip.AddrPortFrom(netip.Addr{}, port)); ok == narrow {
			t.Errorf("Lookup(invalid address, %d) found %t, want %t", port, ok, !narrow)
		}
	}
	if _, ok := table.Lookup(netip.AddrPortFrom(addr, first-1)); ok {
		t.Errorf("Lookup(%v:%d) found an entry that begins at %d", addr, first-1, first)
	}
	if last < 65535 {
		if _, ok := table.Lookup(netip.AddrPortFrom(addr, last+1)); ok {
			t.Errorf("Lookup(%v:%d) found an entry that ends at %d", addr, last+1, last)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "80", "0", "65536", "8000-8010", "1.1.1.1:80", "[2001:db8::1]:80", "::1:80", "10.0.0.0/8:443",
		"[2001:db8::/32]:443", "[::ffff:10.0.0.0/104]:443", "[::ffff:0:0/95]:1", "[fe80::1%eth0]:80", "*:80", ":", "[]:1", "1.1.1.1:http",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := addrports.Parse(s)
		if err != nil {
			if err.Error() == "" || e != (addrports.Entry{}) {
				t.Errorf("Parse(%q) = %+v, %q", s, e, err)
			}
			return
		}
		if e.PerAddress() {
			t.Errorf("Parse(%q) makes rows by address", s)
		}
		checkAccepted(t, s, e)
	})
}

func FuzzParseMatch(f *testing.F) {
	for _, s := range []string{"", "*:80", "*:8000-8010", "*:0", "*:65536", "*:", "*", "80", "1.1.1.1:80", "[::1]:80", "*:http", "*:9-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := addrports.ParseMatch(s)
		if err != nil {
			if err.Error() == "" || e != (addrports.Entry{}) {
				t.Errorf("ParseMatch(%q) = %+v, %q", s, e, err)
			}
			return
		}
		if _, narrow := e.Prefix(); narrow || !e.PerAddress() {
			t.Errorf("ParseMatch(%q) = %+v, want rows by address, of any", s, e)
		}
		checkAccepted(t, s, e)

		// The two kinds of entries agree on ports, and on nothing else.
		bare, err := addrports.Parse(strings.TrimPrefix(s, "*:"))
		if err != nil {
			t.Fatalf("Parse without the asterisk: %v", err)
		}
		first, last := e.Ports()
		if f, l := bare.Ports(); f != first || l != last {
			t.Errorf("Ports() = %d, %d with the asterisk and %d, %d without", first, last, f, l)
		}
	})
}
