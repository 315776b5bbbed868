// Package testhost gives a test real sockets in every TCP state, in a network namespace that the test makes itself.
//
// A test begins with [Enter], which runs it again in a child process that is alone in its namespace, so that whatever
// it reads from the kernel's socket tables it put there itself and counts can be exact. [New] then gives that
// namespace an interface whose far end is a scripted peer: the package writes the peer's TCP segments by hand, and so
// can leave a connection half-way through its opening or its closing.
//
//	func TestCount(t *testing.T) {
//		if !testhost.Enter(t) {
//			return // the child has run the test
//		}
//		h := testhost.New(t)
//		l := h.Listen(testhost.IPv4, netip.Addr{}, 80)
//		h.Accept(testhost.IPv4, l, testhost.CloseWait)
//		...
//	}
//
// It works on Linux, as root or with unprivileged user namespaces, and needs /dev/net/tun and the program ip.
// Elsewhere the package holds only [SkipOrFail].
package testhost
