package socket

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// stop is an error of the function given to Each. Unlike the errors of a table it
// ends the listing, and is returned to the caller unwrapped.
type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// stopped makes err, which the caller's function returned, a stop if it is none.
func stopped(err error) error {
	if err == nil || callerError(err) != nil {
		return err
	}
	return stop{err}
}

// callerError returns the error that the caller's function returned, or nil if
// err has another cause.
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

// Unwrap returns the causes.
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

// orNil returns nil if there are no errors.
func (errs TableErrors) orNil() error {
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// TableError is why a table could not be read.
type TableError struct {
	Table Table
	Err   error
}

// tableReader reads tables that its source has in one piece.
type tableReader func(ctx context.Context, tables []Table, q Query, fn func(*Socket) error) error

// single makes a tableReader of a source that has each table by itself.
func single(read func(ctx context.Context, t Table, q Query, fn func(*Socket) error) error) tableReader {
	return func(ctx context.Context, tables []Table, q Query, fn func(*Socket) error) error {
		var errs TableErrors
		for _, t := range tables {
			err := read(ctx, t, q, fn)
			if callerError(err) != nil {
				return err
			}
			if err != nil {
				errs = append(errs, TableError{t, err})
			}
		}
		return errs.orNil()
	}
}

// eachTable reads the tables of q, cut into pieces, in turn. A piece that cannot
// be read does not keep the others from being read. An error of read is that of
// every table in the piece, unless it is TableErrors. fn is given what q wants,
// whatever read filters or does not.
func eachTable(ctx context.Context, q Query, fn func(*Socket) error, pieces func([]Table) iter.Seq[[]Table], read tableReader) error {
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
	for tables := range pieces(q.tables()) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := read(ctx, tables, q, fn)
		if caller := callerError(err); caller != nil {
			return caller
		}
		if some, ok := err.(TableErrors); ok {
			errs = append(errs, some...)
		} else if err != nil {
			for _, t := range tables {
				errs = append(errs, TableError{t, err})
			}
		}
	}
	return errs.orNil()
}

// oneByOne has each table be a piece.
func oneByOne(tables []Table) iter.Seq[[]Table] { return slices.Chunk(tables, 1) }
