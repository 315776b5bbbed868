package cli

import "golang.org/x/sys/windows"

// allowColor has the console take colours as other terminals do, and reports
// whether it does. Before Windows 10 it cannot.
func allowColor(fd int) bool {
	var mode uint32
	console := windows.Handle(fd)
	return windows.GetConsoleMode(console, &mode) == nil &&
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
