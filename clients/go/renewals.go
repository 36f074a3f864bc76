package leasehold

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

const together = 1000

// renewals lets leases of a client that are due at about the same time be renewed in one request (rule 17).
type renewals struct {
	transport *transport

	mutex     sync.Mutex
	due       map[*Lease]time.Duration // that nobody renews at the moment
	isUnknown bool                     // to the service, as far as is known
}

// wait notes when a lease is to be renewed; from a quarter of its TTL on it may be renewed with others.
func (r *renewals) wait(l *Lease, next time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.due[l] = next
}

func (r *renewals) forget(l *Lease) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.due, l)
}

// claim takes a lease that is due, and those that soon are; none where another claimed it.
func (r *renewals) claim(l *Lease, isAlone bool) []*Lease {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, isThere := r.due[l]; !isThere {
		return nil
	}
	delete(r.due, l)
	claimed := []*Lease{l}
	if isAlone || r.isUnknown || !l.joins() {
		return claimed
	}
	now := l.now()
	for other, next := range r.due {
		if len(claimed) < together && next-other.ttl/12 <= now && other.joins() {
			claimed = append(claimed, other)
			delete(r.due, other)
		}
	}
	return claimed
}

// renew renews a lease that is due; nil where that was not answered.
func (r *renewals) renew(l *Lease, timeout time.Duration, isAgain bool) *answer {
	claimed := r.claim(l, isAgain)
	if len(claimed) == 0 {
		select {
		case got := <-l.renewed:
			return got
		case <-l.done:
			return nil
		}
	}
	var parts map[string]*answer
	if len(claimed) > 1 {
		parts = r.ask(claimed, timeout)
	}
	for _, other := range claimed[1:] {
		got := parts[other.id]
		if got != nil {
			other.take(got)
		}
		other.renewed <- got
	}
	if got := parts[l.id]; got != nil {
		l.take(got)
		return got
	}
	got, err := l.sendRenewal(context.Background(), timeout, isAgain)
	if err != nil {
		return nil
	}
	return got
}

// ask asks for several, and gives each its part as the answer to a renewal of it alone.
func (r *renewals) ask(leases []*Lease, timeout time.Duration) map[string]*answer {
	asked := struct {
		Leases []string `json:"leases"`
	}{}
	for _, l := range leases {
		asked.Leases = append(asked.Leases, l.id)
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil
	}
	got, err := r.transport.ask(context.Background(), timeout, call{
		method: http.MethodPost, target: "/leases/renew", body: body,
	})
	if err != nil {
		return nil
	}
	switch got.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed: // an older service
		r.mutex.Lock()
		r.isUnknown = true
		r.mutex.Unlock()
	}
	parts := map[string]*answer{}
	for _, one := range got.Renewed {
		parts[one.Lease] = &answer{document: one, status: http.StatusOK, sent: got.sent}
	}
	for _, one := range got.Lost {
		status := http.StatusGone
		if one.Code == "no-such-lease" {
			status = http.StatusNotFound
		}
		parts[one.Lease] = &answer{document: one, status: status, sent: got.sent}
	}
	return parts
}
