//go:build !linux

package watch

import "time"

func readSockstat(*reading) ([]float64, time.Time, error) { return nil, time.Now(), errSystem }
