package leasehold

import (
	"context"
	"net/http"
	"time"
)

// follow reads the lines of a held stream; one that ends with the service is opened again (rule 14).
func (l *Lease) follow(s *stream) {
	for s != nil {
		reason := l.read(s)
		s.close()
		if reason == "" {
			return
		}
		l.mutex.Lock()
		if l.grace == 0 || reason == "silent" || l.state != held {
			l.mutex.Unlock()
			l.lose(lost(reason, l.Keys), false)
			return
		}
		l.suspended = l.seen + l.grace
		l.arm()
		l.mutex.Unlock()
		s = l.openAgain()
	}
}

// read reads to the end; it returns a reason where the service gave none.
func (l *Lease) read(s *stream) string {
	isOver := make(chan struct{})
	defer close(isOver)
	l.mutex.Lock()
	l.seen = l.now()
	if l.grace > 0 {
		go l.lookAtStream(l.grace/8, l.seen, isOver)
	}
	l.mutex.Unlock()
	last, longest, beats := l.now(), time.Duration(0), 0
	for {
		patience := silence
		if beats >= 2 {
			patience = 4 * longest
		}
		line, isThere := s.next(patience)
		if !isThere {
			break
		}
		now := l.now()
		longest, last, beats = longer(longest, now-last), now, beats+1
		var said document
		if parse([]byte(line), &said) != nil {
			continue
		}
		if said.Yield {
			l.askToYield()
		}
		if said.BreakingIn > 0 {
			l.breakIn(&said, now)
		}
		if said.Ended != "" {
			said.Reason, said.EndedAt = said.Ended, said.At
			if l.mutex.Lock(); said.BreakReason == "" && l.breaking != nil {
				said.BreakReason = l.breaking.BreakReason
			}
			l.mutex.Unlock()
			l.lose(lostBy(&answer{document: said}, l.Keys), false)
			return ""
		}
	}
	if s.isSilent.Load() {
		return "silent"
	}
	return "connection-closed"
}

// lookAtStream notes when the stream stood: at a look after which the program ran, and did not see its end.
func (l *Lease) lookAtStream(every, looked time.Duration, isOver chan struct{}) {
	for {
		select {
		case <-isOver:
			return
		case <-time.After(every):
		}
		l.mutex.Lock()
		if l.suspended == forever {
			l.seen = looked
		}
		looked = l.now()
		l.mutex.Unlock()
	}
}

// openAgain binds the lease to another stream before the grace is over; nil when it is over.
func (l *Lease) openAgain() *stream {
	for pause := pauseFirst; l.Held(); pause = shorter(2*pause, pauseMost) {
		patience := l.client.timeout
		if left, hasEnd := l.Remaining(); hasEnd {
			patience = shorter(patience, left)
		}
		got, s, err := l.client.transport.open(context.Background(), patience, call{
			method: http.MethodPost, target: "/leases/" + l.id + "/hold",
		}, true)
		switch {
		case err != nil:
		case got.status < 300 && got.Lease == l.id && l.resume(s, time.Duration(got.Grace)*time.Millisecond):
			return s
		case got.isGone():
			l.take(got)
		case got.status >= 400 && got.status < 500 && got.status != http.StatusTooManyRequests:
			l.lose(lost("connection-closed", l.Keys), false)
		}
		s.close()
		time.Sleep(pause)
	}
	return nil
}

// resume notes that it lives by another stream, unless it was over before.
func (l *Lease) resume(s *stream, grace time.Duration) bool {
	l.look()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.state != held {
		return false
	}
	l.stream, l.grace, l.suspended = s, grace, forever
	return true
}
