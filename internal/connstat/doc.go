// Package connstat reports TCP connections one by one: which there are by a
// [Filter], what is said of each by [Field]s, and how by a [Format].
//
// The names of the fields, the filter and the tables are those of illumos'
// connstat(8). What stands behind the names is Linux's struct tcp_info; value.go
// says where the two differ.
package connstat
