// Package guard runs parsers that others wrote over input that others wrote.
package guard

import "fmt"

// Parse returns what parse returns, or an error if it panics, which a parser may do
// over text that it does not expect: that is an error like any other, and not
// worth the end of the program. It cannot help a parser that overflows its stack.
func Parse[T any](parse func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			var zero T
			v, err = zero, fmt.Errorf("not in the expected form: %v", p)
		}
	}()
	return parse()
}
