// Package early keeps the signals that Telegraf asks by from ending the shim
// while it starts.
//
// Go initializes packages in the order of their imports and then of their paths,
// so that one that imports nothing but syscall comes before nearly all others,
// while os/signal, and main with it, comes after them: 2 ms later on an idle
// machine, 20 on a busy one. What comes before even that, the kernel's exec and the
// start of Go's runtime, no program can do anything about.
package early
