package e2e

import (
	"os"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
)

func TestMain(m *testing.M) { os.Exit(peers.Main(m)) }
