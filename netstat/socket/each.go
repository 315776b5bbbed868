package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// TableErrors are the tables that Each could not read, or not to the end.
type TableErrors []TableError

// Error names each table and its cause.
func (errs TableErrors) Error() string {
	texts := make([]string, len(errs))
	for i, e := range errs {
		texts[i] = fmt.Sprintf("table %s: %v", e.Table, e.Err)
	}
	return strings.Join(texts, "; ")
}

// Unwrap gives the causes.
func (errs TableErrors) Unwrap() []error {
	causes := make([]error, len(errs))
	for i, e := range errs {
		causes[i] = e.Err
	}
	return causes
}

// Protocol reports whether a table of the protocol is among them.
func (errs TableErrors) Protocol(p Protocol) bool {
	return slices.ContainsFunc(errs, func(e TableError) bool { return e.Table.Protocol() == p })
}

// TableError is why a table could not be read.
type TableError struct {
	Table Table
	Err   error
}

// tableReader reads one table.
type tableReader func(ctx context.Context, t Table, q Query, fn func(*Socket) error) error

// eachTable reads the tables of q in turn. A table that cannot be read does not
// keep the others from being read. fn is given what q wants, whatever read
// filters or does not.
func eachTable(ctx context.Context, q Query, fn func(*Socket) error, read tableReader) error {
	if err := q.check(); err != nil {
		return err
	}
	if !q.wantsAll() {
		all := fn
		fn = func(s *Socket) error {
			if !q.wants(s) {
				return nil
			}
			return all(s)
		}
	}
	var errs TableErrors
	for _, t := range q.tables() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := read(ctx, t, q, fn)
		if caller := callerError(err); caller != nil {
			return caller
		}
		if err != nil {
			errs = append(errs, TableError{t, err})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}
