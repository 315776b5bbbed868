package socket

import (
	"context"
	"errors"
	"fmt"
)

// stop is an error of the function given to Each: it ends the listing, unlike
// the errors of a table, and is the caller's to see as it was.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// callerError gives the error that the caller's function returned, or nil where
// err is not of its making.
func callerError(err error) error {
	var s stop
	if errors.As(err, &s) {
		return s.error
	}
	return nil
}

// TableError is why a table could not be read, or not to its end.
type TableError struct {
	Table Table
	Err   error
}

// Error names the table.
func (e *TableError) Error() string { return fmt.Sprintf("table %s: %v", e.Table, e.Err) }

// Unwrap gives the cause.
func (e *TableError) Unwrap() error { return e.Err }

// tableReader reads one table.
type tableReader func(ctx context.Context, t Table, q Query, fn func(*Socket) error) error

// eachTable reads the tables of q in turn. A table that cannot be read does not
// keep the others from being read.
func eachTable(ctx context.Context, q Query, fn func(*Socket) error, read tableReader) error {
	if q.States != 0 {
		all := fn
		fn = func(s *Socket) error {
			if !q.wants(s) {
				return nil
			}
			return all(s)
		}
	}
	var errs []error
	for _, t := range q.tables() {
		if ctx.Err() != nil {
			return errors.Join(append(errs, context.Cause(ctx))...)
		}
		err := read(ctx, t, q, fn)
		if caller := callerError(err); caller != nil {
			return caller
		}
		if err != nil {
			errs = append(errs, &TableError{t, err})
		}
	}
	return errors.Join(errs...)
}
