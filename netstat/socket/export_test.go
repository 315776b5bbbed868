package socket

// Incomplete gives how many listings of the source may have lacked sockets.
func Incomplete(src Source) int {
	switch src := src.(type) {
	case *netlink:
		return src.incomplete.count
	case *procfs:
		return src.incomplete.count
	}
	return 0
}
