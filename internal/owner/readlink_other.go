//go:build !linux

package owner

import "os"

func readlink(link string, _ []byte) []byte {
	target, err := os.Readlink(link)
	if err != nil {
		return nil
	}
	return []byte(target)
}
