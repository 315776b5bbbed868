// Package atstart takes capabilities out of effect when a program starts. It is
// for programs, not for the library: what an agent that imports the library may
// do is the agent's business.
//
// It works by being imported, in its init, because the init functions of other
// packages already open files that the environment names: TZ, as soon as one asks
// for the local time, and $HOST_PROC/stat. The Go tool initializes a package once
// all that it imports is, so one that depends on next to nothing, and above all
// not on package time, comes before any that can open a file. Main is to
// call [Report] for what there is to say.
//
//   - The two capabilities of privilege.Needed stay permitted and leave effect;
//     all others are given up, and so is what a child would inherit.
//   - Root stays root: that user 0 may read and write what root may is what
//     everybody expects. But user 0 of a container who has these two capabilities
//     and no other is treated like any user.
//   - HOST_PROC is ignored if the capabilities come from the program's file
//     (setcap), so that whoever runs it cannot choose what is read with them. With
//     ambient capabilities, those of a systemd unit, whoever gives the
//     capabilities sets the environment too.
//   - As set-user-ID or set-group-ID the program refuses to run: another user's
//     files cannot be told from the caller's.
package atstart
