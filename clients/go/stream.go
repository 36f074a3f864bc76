package leasehold

import (
	"bufio"
	"context"
	"io"
	"sync/atomic"
	"time"
)

// Of a program that was stopped the timers go first: then what came meanwhile is still to be read.
const suspect = 200 * time.Millisecond

// stream is an answer that has no end, on a connection of its own.
type stream struct {
	lines    *bufio.Scanner
	body     io.Closer
	cancel   context.CancelFunc
	isSilent atomic.Bool
	reads    atomic.Int64
	timer    *time.Timer
}

// open sends a request; an answer of 400 and above is whole, and has no stream. Behind hasLease the first line is read,
// too: the lease. Once open, ctx has no part in it any more.
func (t *transport) open(ctx context.Context, timeout time.Duration, c call, hasLease bool) (*answer, *stream, error) {
	sent := t.now()
	own, cancel := context.WithCancel(context.Background())
	limited, stopLimit := context.WithTimeout(ctx, timeout)
	defer stopLimit()
	opened := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-limited.Done():
			cancel()
		case <-opened:
		}
	}()
	s := &stream{cancel: cancel}
	got := &answer{sent: sent}
	err := t.openStream(own, c, hasLease, got, s)
	close(opened)
	<-watched
	if err == nil && own.Err() != nil {
		err = own.Err()
	}
	if err != nil || got.status >= 400 {
		s.close()
	}
	if err != nil {
		return nil, nil, t.failure(ctx, limited, err)
	}
	if got.status >= 400 {
		return got, nil, nil
	}
	return got, s, nil
}

func (t *transport) openStream(ctx context.Context, c call, hasLease bool, got *answer, s *stream) error {
	c.isFresh = true
	response, err := t.send(ctx, c)
	if err != nil {
		return err
	}
	s.body = response.Body
	got.status = response.StatusCode
	if got.status >= 400 {
		text, err := io.ReadAll(io.LimitReader(response.Body, bodyMost))
		if err != nil {
			return err
		}
		_ = parse(text, &got.document) // the status says enough
		return nil
	}
	s.lines = bufio.NewScanner(response.Body)
	s.lines.Buffer(nil, bodyMost)
	if !hasLease {
		return nil
	}
	if !s.lines.Scan() {
		if err := s.lines.Err(); err != nil {
			return err
		}
		return io.ErrUnexpectedEOF
	}
	return parse(s.lines.Bytes(), &got.document)
}

// next reads the next line; false when there is none any more, or none came within the patience.
func (s *stream) next(patience time.Duration) (string, bool) {
	if s.timer == nil {
		s.timer = time.AfterFunc(patience, s.suspectSilence)
	} else {
		s.timer.Reset(patience)
	}
	defer s.timer.Stop()
	isThere := s.lines.Scan()
	s.reads.Add(1)
	return s.lines.Text(), isThere
}

func (s *stream) suspectSilence() {
	before := s.reads.Load()
	time.Sleep(suspect)
	if s.reads.Load() == before {
		s.isSilent.Store(true)
		s.cancel()
	}
}

func (s *stream) close() {
	if s == nil {
		return
	}
	s.cancel()
	if s.body != nil {
		s.body.Close()
	}
}
