package leasehold

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	ttlLeast   = 100 * time.Millisecond
	ttlDefault = 30 * time.Second
	// A request that waits for longer is asked again: it keeps its place, and a proxy that went silent is noticed.
	askAgain   = 20 * time.Second
	streamWait = 10 * time.Minute
	// A service that was never there is not waited for as long as one that was (rule 4).
	neverReached = time.Second
	pauseFirst   = 50 * time.Millisecond
	pauseMost    = 500 * time.Millisecond
	// As many leases as the service reads of those that the caller keeps meanwhile.
	holdingMost = 32
)

// Config says where a service is. What is left out the environment says.
type Config struct {
	// URL is unix:/PATH, http://HOST:PORT or https://HOST:PORT; else LEASEHOLD_URL, the usual socket, or TCP.
	URL string
	// Token is sent as a bearer token; else LEASEHOLD_TOKEN.
	Token string
	// Authorities is a file in PEM with the certificates that vouch for the service; else LEASEHOLD_CACERT.
	Authorities string
	// Timeout bounds how long the service may take to answer, and be away; 0 is five seconds.
	Timeout time.Duration
}

// Client is a way to one service. Goroutines share it freely.
type Client struct {
	transport *transport
	timeout   time.Duration
	askAgain  time.Duration
	undo      *undo
	watcher   *watcher
	renewals  *renewals
	// Whether the service cannot see this process; the longest wait that it takes.
	isUnseen atomic.Bool
	waitMost atomic.Int64
}

// NewClient makes a client; it connects with its first request.
func NewClient(config Config) (*Client, error) {
	transport, err := newTransport(config)
	if err != nil {
		return nil, err
	}
	c := &Client{transport: transport, timeout: config.Timeout, askAgain: askAgain, undo: &undo{transport: transport}}
	if c.timeout <= 0 {
		c.timeout = 5 * time.Second
	}
	c.watcher = &watcher{transport: transport, leases: map[string]*Lease{}, kinds: endings + ",yield"}
	c.renewals = &renewals{transport: transport, due: map[*Lease]time.Duration{}}
	c.isUnseen.Store(transport.address.socket == "")
	c.waitMost.Store(int64(time.Hour))
	return c, nil
}

// URL returns where the service is.
func (c *Client) URL() string { return c.transport.address.text }

// Resize gives a counting lock another number of slots, even while it is in use; 0 pauses it. With SlotNames it gives
// the slots other names, and the number does not count. Pinned keeps what it gives.
func (c *Client) Resize(ctx context.Context, key string, slots int, options ...Option) error {
	query, w := url.Values{"resize": {"true"}}, wished(options)
	if len(w.one.Names) > 0 {
		query.Set("slots", strings.Join(w.one.Names, ","))
	} else {
		query.Set("limit", strconv.Itoa(slots))
	}
	for name, value := range w.terms {
		query.Set(name, value)
	}
	got, err := c.transport.ask(ctx, c.timeout, call{
		method: http.MethodPut, target: "/locks/" + url.PathEscape(key) + "?" + query.Encode(),
	})
	if err != nil || got.status < 400 {
		return err
	}
	return errorOf(got, []string{key})
}

// Close closes what stands idle. Leases are not released.
func (c *Client) Close() { c.transport.close() }

func (c *Client) obtain(ctx context.Context, w *wish) (*Lease, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w.holding = c.holding(ctx, w)
	w.until = forever
	if w.wait < forever/2 {
		w.until = c.transport.now() + w.wait
	}
	for {
		way := c.wayOf(w)
		lease, isOtherWay, err := c.acquire(ctx, w, way)
		switch {
		case isOtherWay:
			c.isUnseen.Store(true)
		case errors.Is(err, ErrLeaseLost) && c.forgetEnded(ctx, w):
			// One that it named as held was over, or another service's.
		default:
			return lease, err
		}
	}
}

func (c *Client) wayOf(w *wish) Keep {
	switch {
	case w.keep != Auto:
		return w.keep
	case !c.isUnseen.Load():
		return Process
	case len(w.wants) > 1:
		return Renewal // a stream is on one lock
	default:
		return Stream
	}
}

// holding are the leases of the context, by which the service finds circles (rule 10).
func (c *Client) holding(ctx context.Context, w *wish) []string {
	var ids, wanted []string
	for lease := FromContext(ctx); lease != nil; lease = lease.outer {
		switch {
		case lease.client != c || !lease.Held():
		case haveOneInCommon(lease.Keys, w.keys()):
			wanted = append(wanted, lease.id)
		default:
			ids = append(ids, lease.id)
		}
	}
	ids = append(wanted, ids...)
	for _, id := range strings.Split(os.Getenv("LEASEHOLD_HOLDING"), ",") {
		if len(id) == 32 && !haveOneInCommon(ids, []string{id}) {
			ids = append(ids, id)
		}
	}
	if len(ids) > holdingMost {
		ids = ids[:holdingMost]
	}
	return ids
}

func haveOneInCommon(some, others []string) bool {
	for _, one := range some {
		for _, other := range others {
			if one == other {
				return true
			}
		}
	}
	return false
}

// forgetEnded leaves out of what is named as held what the service does not have; false where it has all of it.
func (c *Client) forgetEnded(ctx context.Context, w *wish) bool {
	held := make([]string, 0, len(w.holding))
	for _, id := range w.holding {
		got, err := c.transport.ask(ctx, c.timeout, call{method: http.MethodGet, target: "/leases/" + id})
		if err != nil || got.status == http.StatusOK {
			held = append(held, id)
		}
	}
	isFewer := len(held) < len(w.holding)
	w.holding = held
	return isFewer
}

// alive asks on another connection whether the service is there (rule 6).
func (c *Client) alive(ctx context.Context) error {
	_, err := c.transport.ask(ctx, c.timeout, call{method: http.MethodGet, target: "/healthz", isFresh: true})
	return err
}

// whileAlive opens what may be long in coming, as long as the service is there.
func (c *Client) whileAlive(
	ctx context.Context, open func(context.Context) (*answer, *stream, error),
) (*answer, *stream, error) {
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	away := make(chan error, 1)
	ticker := time.NewTicker(c.askAgain)
	defer ticker.Stop()
	go func() {
		for {
			select {
			case <-own.Done():
				return
			case <-ticker.C:
				if err := c.alive(own); err != nil && own.Err() == nil {
					away <- err
					cancel()
					return
				}
			}
		}
	}()
	got, held, err := open(own)
	if err != nil && ctx.Err() == nil {
		select {
		case err = <-away:
		default:
		}
	}
	return got, held, err
}

// attempt is one acquire on its way: its key, its patience, and whether the service may know of it.
type attempt struct {
	wish      *wish
	way       Keep
	client    *Client
	key       string
	begun     time.Duration
	until     time.Duration
	isPending atomic.Bool

	failingSince, lastFailed time.Duration
	pause                    time.Duration
}

func (a *attempt) now() time.Duration { return a.client.transport.now() }

func (a *attempt) left() time.Duration {
	if a.until == forever {
		return forever
	}
	return longer(0, a.until-a.now())
}

// renew makes the same wish a new request.
func (a *attempt) renew() { a.key, a.begun = randomKey(), a.now() }

// acquire asks until it is answered. It returns true when no process can be bound to.
func (c *Client) acquire(ctx context.Context, w *wish, way Keep) (*Lease, bool, error) {
	a := &attempt{wish: w, way: way, client: c, until: w.until, failingSince: -1, lastFailed: -forever}
	a.renew()
	lease, isOtherWay, err := a.run(ctx)
	if err != nil && a.isPending.Load() && way != Stream {
		target, body := w.request(way, time.Millisecond)
		if ctx.Err() != nil {
			// Whoever cancels finds nothing left.
			c.undo.request(a.key, target, body)
		} else {
			// Whoever waited for an answer in vain need not wait for another.
			go c.undo.request(a.key, target, body)
		}
	}
	return lease, isOtherWay, err
}

func (a *attempt) run(ctx context.Context) (*Lease, bool, error) {
	for {
		wait := shorter(a.left(), time.Duration(a.client.waitMost.Load()))
		got, held, err := a.ask(ctx, wait)
		var e *Error
		if errors.As(err, &e) && e.timedOut && a.way != Stream && wait > a.client.askAgain {
			// No answer because the lock was not free yet is no failure.
			if err = a.client.alive(ctx); err == nil {
				continue
			}
		}
		if err == nil && got.status < 300 && got.Lease == "" {
			held.close()
			err = a.client.transport.notHTTP(nil)
		}
		if err == nil && got.status >= 400 {
			a.isPending.Store(false)
			if a.isOtherWay(got) {
				return nil, true, nil
			}
			err = a.next(got)
		}
		switch {
		case err == nil && got.status < 300:
			return a.granted(ctx, got, held)
		case err == nil:
			continue
		}
		if err := a.failed(ctx, err); err != nil {
			return nil, false, err
		}
	}
}

func (a *attempt) ask(ctx context.Context, wait time.Duration) (*answer, *stream, error) {
	if a.way == Stream {
		wait = shorter(wait, streamWait)
		target, _ := a.wish.request(a.way, wait)
		return a.client.whileAlive(ctx, func(ctx context.Context) (*answer, *stream, error) {
			asked := call{method: http.MethodPost, target: target}
			return a.client.transport.open(ctx, wait+a.client.timeout, asked, true)
		})
	}
	target, body := a.wish.request(a.way, wait)
	patience := a.client.askAgain
	if wait <= patience {
		patience = wait + a.client.timeout
	}
	got, err := a.client.transport.ask(ctx, patience, call{
		method: http.MethodPost, target: target, body: body, key: a.key, isFresh: a.isPending.Load(),
		onSent: func() { a.isPending.Store(true) },
	})
	return got, nil, err
}

// isOtherWay reports whether the service cannot see the process, knows of a proxy between, or has an engine that binds to
// none.
func (a *attempt) isOtherWay(got *answer) bool {
	isRefused := got.Code == "no-such-process" || got.Code == "not-supported" || (got.status == http.StatusBadRequest && got.Parameter == "bind")
	return isRefused && a.wish.keep == Auto && a.way == Process
}

// next is nil when the refusal asks for another request; otherwise it is the error.
func (a *attempt) next(got *answer) error {
	most := time.Duration(got.Maximum) * time.Millisecond
	switch {
	case got.status == http.StatusBadRequest && got.Parameter == "wait" && most > 0 &&
		most < time.Duration(a.client.waitMost.Load()):
		a.client.waitMost.Store(int64(most))
		return nil
	case got.Code == "wait-timeout" && a.left() > 0, got.Code == "undelivered":
		a.renew()
		return nil
	}
	e := errorOf(got, a.wish.keys())
	if e.Kind == ErrLocked && a.isAllOwn(e.Holders) {
		e.Kind, e.Code = ErrAlreadyHeld, "already-held"
	} else if e.Code == "locked" && a.wish.wait > 0 {
		e.Kind, e.Code = ErrWaitTimeout, "wait-timeout"
	}
	return e
}

func (a *attempt) isAllOwn(holders []Holder) bool {
	for _, holder := range holders {
		isOwn := false
		for _, id := range a.wish.holding {
			isOwn = isOwn || holder.Ref != "" && strings.HasPrefix(id, holder.Ref)
		}
		if !isOwn {
			return false
		}
	}
	return len(holders) > 0
}

// failed waits before the next try; it returns the error when there is none (rule 4).
func (a *attempt) failed(ctx context.Context, err error) error {
	var e *Error
	if !errors.As(err, &e) || e.timedOut || (e.Code != "unreachable" && e.Status != http.StatusServiceUnavailable) {
		return err
	}
	now := a.now()
	// Whoever stood in the queue until it broke begins to count now.
	if a.failingSince < 0 || now-a.lastFailed > 2*pauseMost {
		a.failingSince, a.pause = now, pauseFirst
	}
	a.lastFailed = now
	patience := a.client.timeout
	if !a.client.transport.isReached.Load() {
		patience = shorter(patience, neverReached)
	}
	if now-a.failingSince+a.pause > patience {
		return err
	}
	if err := sleep(ctx, a.pause); err != nil {
		return err
	}
	a.pause = shorter(2*a.pause, pauseMost)
	return nil
}

func (a *attempt) granted(ctx context.Context, got *answer, held *stream) (*Lease, bool, error) {
	lease := newLease(ctx, a, got, held)
	if err := ctx.Err(); err != nil {
		lease.Release()
		return nil, false, err
	}
	return lease, false, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func randomKey() string {
	var bytes [16]byte
	if _, err := rand.Read(bytes[:]); err != nil {
		panic(err) // the kernel has always some
	}
	return hex.EncodeToString(bytes[:])
}
