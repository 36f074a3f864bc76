package leasehold

import (
	"context"
	"net/http"
	"time"
)

// A release is not cut short by what cuts the caller short, but it does not hold it up for long either (rule 28).
const releasePatience = 2 * time.Second

// A connection that went silent is left soon; to ask twice costs nothing.
const firstPatience = 500 * time.Millisecond

// undo gives back what nobody holds any more, again and again until the service has heard it.
type undo struct{ transport *transport }

// lease releases a lease. It returns the answer, or nil while nobody hears it; then it is told until a time.
func (u *undo) lease(id string, until time.Duration) *answer {
	end := u.transport.now() + releasePatience
	got := u.release(id, firstPatience, false)
	for pause := pauseFirst; got == nil && u.transport.now()+pause < end; pause = shorter(2*pause, pauseMost) {
		time.Sleep(pause)
		got = u.release(id, end-u.transport.now(), true)
	}
	if got != nil {
		return got
	}
	go u.insist(until, func() bool { return u.release(id, releasePatience, true) != nil })
	return nil
}

func (u *undo) release(id string, timeout time.Duration, isFresh bool) *answer {
	got, err := u.transport.ask(context.Background(), timeout, call{
		method: http.MethodDelete, target: "/leases/" + id, isFresh: isFresh,
	})
	if err != nil || (got.status >= 400 && !got.isGone()) {
		return nil
	}
	return got
}

// request takes back an acquire whose answer is not known: what it got, or its place in the queue (rule 11).
func (u *undo) request(key, target string, body []byte) {
	replay := func() bool { return u.replay(key, target, body) }
	once := func() bool {
		got, err := u.transport.ask(context.Background(), releasePatience, call{
			method: http.MethodDelete, target: "/leases", key: key,
		})
		if err != nil {
			return false
		}
		switch got.status {
		case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed:
			// An older service. Once more for a request that was overtaken by this one.
			if !replay() {
				return false
			}
			time.AfterFunc(250*time.Millisecond, func() {
				if !replay() {
					u.insist(forever, replay)
				}
			})
			return true
		default:
			return got.status < 300
		}
	}
	if !once() {
		go u.insist(forever, once)
	}
}

// replay sends the same request once more: it takes the place over and leaves, or tells the lease.
func (u *undo) replay(key, target string, body []byte) bool {
	got, err := u.transport.ask(context.Background(), releasePatience, call{
		method: http.MethodPost, target: target, body: body, key: key,
	})
	if err != nil {
		return false
	}
	if got.status < 300 && got.Lease != "" {
		return u.lease(got.Lease, forever) != nil
	}
	return got.status < 500 && got.status != http.StatusTooManyRequests
}

func (u *undo) insist(until time.Duration, once func() bool) {
	for pause := pauseMost; u.transport.now() < until; pause = shorter(2*pause, releasePatience) {
		time.Sleep(pause)
		if once() {
			return
		}
	}
}
