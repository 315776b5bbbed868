// Package privilege keeps the capabilities that finding a socket's process takes
// out of effect, except while it is being found.
//
// A capability that is in effect counts for every file that the program opens,
// whoever named it. With CAP_DAC_READ_SEARCH in effect from start to end, whoever
// may run the program may read any file of the machine through it: a
// configuration file, a token file, a time zone that TZ names. A capability that
// is merely permitted counts for nothing until a thread puts it into effect, for
// itself alone. So [Descriptors] puts the two into effect, on one thread, for as
// long as /proc/PID/fd is read there, and package atstart, which the programs
// import, takes them out of effect before anything else happens.
//
// What this does not protect from is the program running somebody else's code: it
// could put the capabilities into effect too.
package privilege
