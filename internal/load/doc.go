// Package load makes real sockets by the hundred thousand, for tests and
// measurements: connections over loopback with both their ends, listeners, UDP
// sockets and a mass of TIME_WAIT, spread over ports, addresses and states.
//
// They belong to processes of their own, since one process may hold only so
// many descriptors. These are the calling program, started again, so its main or
// TestMain begins with
//
//	if load.Main() {
//		return
//	}
//
// All of it is in the caller's network namespace, which has to be one made for
// the purpose: so many sockets would use up the ports of any other. In a test
// that is testhost.Enter's.
//
// It works on Linux only, as root of its namespace, and needs the program ip.
package load
