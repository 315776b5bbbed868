package check

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
)

// profile is a seccomp profile of a container runtime, with what seccomp.json has
// of it.
type profile struct {
	DefaultAction   string `json:"defaultAction"`
	DefaultErrnoRet uint32 `json:"defaultErrnoRet"`
	ArchMap         []struct {
		Architecture     string   `json:"architecture"`
		SubArchitectures []string `json:"subArchitectures"`
	} `json:"archMap"`
	Syscalls []struct {
		Comment string   `json:"comment"`
		Names   []string `json:"names"`
		Action  string   `json:"action"`
		Args    []struct {
			Index    uint32 `json:"index"`
			Value    uint64 `json:"value"`
			ValueTwo uint64 `json:"valueTwo"`
			Op       string `json:"op"`
		} `json:"args"`
	} `json:"syscalls"`
}

// assemble returns the program for the kernel that a container runtime makes of a
// profile, an array of struct sock_filter.
func assemble(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer text.Close()
	var p profile
	decoder := json.NewDecoder(text)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if p.DefaultAction != "SCMP_ACT_ERRNO" || p.DefaultErrnoRet != 1 {
		t.Fatalf("%s: what is not named is answered by %s %d", file, p.DefaultAction, p.DefaultErrnoRet)
	}
	here, err := arch.GetInfo("")
	if err != nil {
		t.Fatal(err)
	}
	known := slices.Collect(maps.Values(here.SyscallNumbers))
	group := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	for _, s := range p.Syscalls {
		if s.Action != "SCMP_ACT_ALLOW" {
			t.Fatalf("%s: %v: %s", file, s.Names, s.Action)
		}
		for _, name := range s.Names {
			if !slices.Contains(known, name) {
				continue // of another architecture
			}
			if len(s.Args) == 0 {
				group.Names = append(group.Names, name)
				continue
			}
			var conditions seccomp.ArgumentConditions
			for _, a := range s.Args {
				switch {
				case a.Op == "SCMP_CMP_EQ":
					conditions = append(conditions, seccomp.Condition{Argument: a.Index, Operation: seccomp.Equal, Value: a.Value})
				case a.Op == "SCMP_CMP_MASKED_EQ" && a.ValueTwo == 0:
					conditions = append(conditions, seccomp.Condition{Argument: a.Index, Operation: seccomp.BitsNotSet, Value: a.Value})
				default:
					t.Fatalf("%s: %v: %+v", file, s.Names, a)
				}
			}
			group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: conditions})
		}
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno, Syscalls: []seccomp.SyscallGroup{group}}
	program, err := policy.Assemble()
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", file, err))
	}
	raw, err := bpf.Assemble(program)
	if err != nil {
		t.Fatal(err)
	}
	var code []byte
	for _, i := range raw {
		code = binary.NativeEndian.AppendUint16(code, i.Op)
		code = append(code, i.Jt, i.Jf)
		code = binary.NativeEndian.AppendUint32(code, i.K)
	}
	return code
}
