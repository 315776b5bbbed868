package connstat

import "github.com/l4stat/l4stat/internal/owner"

// Owner is the process that holds a socket.
type Owner = owner.Process
