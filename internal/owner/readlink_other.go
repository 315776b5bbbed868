//go:build !linux

package owner

import (
	"os"
	"path/filepath"
)

func readlinkat(dir *os.File, path link, _ []byte) []byte {
	name := string(path[:len(path)-1])
	if dir != nil {
		name = filepath.Join(dir.Name(), name)
	}
	target, err := os.Readlink(name)
	if err != nil {
		return nil
	}
	return []byte(target)
}
