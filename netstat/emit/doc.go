// Package emit turns metrics into InfluxDB line protocol and takes them where
// they are wanted: an [Encoder] makes the text, an [Output] delivers it.
package emit
