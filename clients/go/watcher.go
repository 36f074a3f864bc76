package leasehold

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// A release by somebody with the id is none of these: each lease is asked for now and then.
	endings  = "expired,broken,removed,transferred"
	askEvery = 15 * time.Second
	// A comment comes every few seconds, a minute at most.
	eventSilence = 75 * time.Second
	linger       = 5 * time.Second
)

// watcher follows the events of the service while there are leases to be told about.
type watcher struct {
	transport *transport

	mutex     sync.Mutex
	leases    map[string]*Lease
	count     int // of those that are not renewed
	kinds     string
	isRunning bool
	lastSeen  time.Time
}

// add lets a lease be told. One that is renewed is told by that, too: for it alone nothing is opened.
func (w *watcher) add(l *Lease) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.leases[l.Ref] = l
	if l.Keep == Renewal {
		return
	}
	w.count++
	if !w.isRunning {
		w.isRunning = true
		go w.run()
	}
}

func (w *watcher) remove(l *Lease) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.leases[l.Ref] != l {
		return
	}
	delete(w.leases, l.Ref)
	if l.Keep != Renewal {
		w.count--
		w.lastSeen = time.Now()
	}
}

func (w *watcher) isWanted() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	isWanted := w.count > 0 || time.Since(w.lastSeen) < linger
	w.isRunning = isWanted
	return isWanted
}

func (w *watcher) run() {
	for pause := pauseFirst; w.isWanted(); pause = shorter(2*pause, time.Second) {
		rest := time.Duration(0)
		got, events, err := w.transport.open(context.Background(), 5*time.Second, call{
			method: http.MethodGet, target: "/events?kind=" + w.kinds,
		}, false)
		if err == nil && got.status < 300 {
			pause = pauseFirst
			isOver := make(chan struct{})
			go w.askNowAndThen(events, isOver)
			w.read(events)
			close(isOver)
		} else {
			switch {
			case err != nil:
			case got.status == http.StatusBadRequest:
				w.kinds = endings // an older service, which asks nobody to yield
			case got.status == http.StatusUnauthorized, got.status == http.StatusForbidden,
				got.status == http.StatusTooManyRequests:
				rest = askEvery // no right to read, or too many followers
			}
			w.askAll()
		}
		time.Sleep(longer(pause, rest))
	}
}

// askNowAndThen asks for each lease; the events are closed when nobody wants them any more.
func (w *watcher) askNowAndThen(events *stream, isOver chan struct{}) {
	ask := time.NewTicker(askEvery)
	look := time.NewTicker(linger)
	defer ask.Stop()
	defer look.Stop()
	for {
		select {
		case <-isOver:
			return
		case <-ask.C:
			w.askAll()
		case <-look.C:
			w.mutex.Lock()
			isUnwanted := w.count == 0 && time.Since(w.lastSeen) >= linger
			w.mutex.Unlock()
			if isUnwanted {
				events.close()
			}
		}
	}
}

func (w *watcher) read(events *stream) {
	defer events.close()
	isFirst, kind := true, ""
	for {
		line, isThere := events.next(eventSilence)
		if !isThere {
			return
		}
		if isFirst {
			// Nobody told what happened before.
			isFirst = false
			go w.askAll()
		}
		switch {
		case strings.HasPrefix(line, "event: "):
			kind = line[len("event: "):]
		case strings.HasPrefix(line, "data: ") && kind == "gap":
			go w.askAll()
		case strings.HasPrefix(line, "data: "):
			w.tell(kind, line[len("data: "):])
		}
	}
}

func (w *watcher) tell(kind, line string) {
	var event document
	if parse([]byte(line), &event) != nil {
		return
	}
	w.mutex.Lock()
	lease := w.leases[event.Ref]
	w.mutex.Unlock()
	switch {
	case lease == nil:
	case kind == "yield":
		lease.askToYield()
	default:
		event.EndedAt = event.At
		lease.lose(lostBy(&answer{document: event}, lease.Keys), false)
	}
}

func (w *watcher) askAll() {
	w.mutex.Lock()
	var all []*Lease
	for _, lease := range w.leases {
		if lease.Keep != Renewal {
			all = append(all, lease)
		}
	}
	w.mutex.Unlock()
	for _, lease := range all {
		lease.confirm()
	}
}
