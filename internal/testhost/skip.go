package testhost

import (
	"os"
	"strconv"
	"testing"
)

// SkipOrFail ends a test whose machine lacks something: it skips the test, but fails it where the environment says
// CI=true. A developer without the privilege or the program can still run the rest; a build machine that lost it must
// not go green on tests that no longer run.
func SkipOrFail(t testing.TB, reason string) {
	t.Helper()
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
		t.Fatal(reason + " (not skipped, because CI is set)")
	}
	t.Skip(reason)
}
