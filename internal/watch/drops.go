package watch

func newDrops() Group {
	return Group{Name: "drops", About: "connections that listeners did not take, per second", Blocks: []*Block{
		{Title: "listen drops", added: true, read: fromCounters("tcp", "listen_overflows", "listen_drops", "syncookies_sent"), Columns: []Column{
			{Name: "over", Meaning: "accept queue full: the program accepts too slowly", Source: netstatExt + "ListenOverflows", kind: rate},
			{Name: "drop", Meaning: "SYNs and last acknowledgments dropped for any reason, over included", Source: netstatExt + "ListenDrops", kind: rate},
			{Name: "cook", Meaning: "SYN cookies sent, as the queue of half-open connections was full", Source: netstatExt + "SyncookiesSent", kind: rate},
		}},
	}}
}
