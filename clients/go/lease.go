package leasehold

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	renewPause = 100 * time.Millisecond
	renewLeast = 250 * time.Millisecond
	// A held stream has a line every few seconds; before two were seen nobody knows how few.
	silence = 20 * time.Second
)

type state int

const (
	held state = iota
	released
	isLost
)

// Lease is a lock that is held. It is kept without help; Context ends at once when it is lost.
type Lease struct {
	// Keys are the names of the locks that it was taken on; Locks has those that were added, too.
	Keys []string
	// Ref is its short name, for listings and logs.
	Ref string
	// Fence grows with every grant: send it along with each write that must not come late.
	Fence int64
	// Slot is the name of its slot, the first where it has several; empty where slots have no names.
	Slot string
	// Slots are the names of its slots, on locks whose slots have names.
	Slots []string
	// Mode is exclusive or shared.
	Mode string
	// Owner is what others see.
	Owner string
	// Keep is how it is kept: Process, Cgroup, Stream or Renewal.
	Keep Keep

	id          string
	client      *Client
	outer       *Lease
	ctx         context.Context
	cancel      context.CancelFunc
	done        chan struct{}
	yield       chan struct{}
	renewed     chan *answer // what a request for several said of it, where another lease's goroutine asked
	ignoresLoss bool
	ttl         time.Duration
	end         time.Duration // what MaxHold leaves

	mutex    sync.Mutex
	state    state
	loss     *Error
	locks    []document
	kept     string
	isAsked  bool // to yield
	deadline time.Duration
	timer    *time.Timer
	stream   *stream
	// A stream that ended with the service can be opened again in the grace, counted from when it was seen to stand.
	grace, seen, suspended time.Duration
	mayStand               bool   // for the service, although it is lost here
	breaking               *Error // why it will be lost at its deadline, where an operator ends it (rule 26)
}

// Granted is one of the locks of a lease.
type Granted struct {
	Key string
	// Fence grows with every grant of this lock; what was added to a lease has its own.
	Fence int64
	// Slots are the names of its slots, where they have some.
	Slots []string
}

func newLease(ctx context.Context, a *attempt, got *answer, s *stream) *Lease {
	l := &Lease{
		Keys: a.wish.keys(), Ref: got.Ref, Fence: got.Fence, Mode: got.Mode, Owner: got.Owner, Keep: a.way,
		id: got.Lease, client: a.client, outer: FromContext(ctx), stream: s, ignoresLoss: a.wish.ignoresLoss,
		suspended: forever, locks: got.locks(), kept: got.KeptUntil, yield: make(chan struct{}),
		done: make(chan struct{}), renewed: make(chan *answer, 1), deadline: forever, end: forever, ttl: time.Duration(got.TTL) * time.Millisecond,
	}
	for _, lock := range l.locks {
		l.Slots = append(l.Slots, lock.Slots...)
	}
	if len(l.Slots) > 0 {
		l.Slot = l.Slots[0]
	}
	inner, cancel := context.WithCancel(ctx)
	l.ctx, l.cancel = leaseContext{inner, l}, cancel
	if l.ttl > 0 {
		// Two times at which the lease stands for certain (rule 22).
		first := a.begun + time.Duration(got.Waited)*time.Millisecond + l.ttl
		l.deadline = longer(first, got.sent+time.Duration(got.ExpiresIn)*time.Millisecond)
		if a.wish.maxHold < forever {
			l.end = l.deadline - l.ttl + a.wish.maxHold
		}
		l.mutex.Lock()
		l.arm()
		l.mutex.Unlock()
	}
	if s != nil {
		l.grace = time.Duration(got.Grace) * time.Millisecond
		go l.follow(s)
	} else {
		a.client.watcher.add(l)
	}
	if l.Keep == Renewal {
		go l.renewOnAndOn()
	}
	return l
}

// Context ends when the lease is lost or released, or when the context ends that it was taken in.
func (l *Lease) Context() context.Context { return l.ctx }

// Held reports whether it is held, by the clock of this moment.
func (l *Lease) Held() bool {
	l.look()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.state == held
}

// Err returns nil while the lease is held, and after it was given back; an ErrLeaseLost when it is lost.
// It asks the clock of this moment: look before a step that cannot be taken back.
func (l *Lease) Err() error {
	l.look()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.loss == nil {
		return nil
	}
	return l.loss
}

// Remaining returns the time until the deadline, 0 when it is over; false where only the end of the process or of the
// connection ends the lease.
func (l *Lease) Remaining() (time.Duration, bool) {
	l.look()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	switch {
	case l.state != held:
		return 0, true
	case l.ends() == forever:
		return 0, false
	default:
		return l.ends() - l.now(), true
	}
}

// Yield is closed when a newer request of the lease's group (Newest) waits: give it back as soon as you like to. It is
// held on.
func (l *Lease) Yield() <-chan struct{} { return l.yield }

// Locks are the locks of the lease.
func (l *Lease) Locks() []Granted {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	all := make([]Granted, len(l.locks))
	for index, lock := range l.locks {
		all[index] = Granted{lock.Key, lock.Fence, lock.Slots}
		if lock.Fence == 0 {
			all[index].Fence = l.Fence
		}
	}
	return all
}

// KeptUntil returns the instant until which HoldAtLeast keeps the slots taken (RFC 3339); empty where nothing does.
func (l *Lease) KeptUntil() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.kept
}

// Renew moves the deadline to the TTL from now, and says a Note where one is given. Leases with a TTL are renewed
// without this, too.
func (l *Lease) Renew(ctx context.Context, note ...Option) error {
	if err := l.Err(); err != nil {
		return err
	}
	got, err := l.sendRenewal(ctx, l.client.timeout, false, note...)
	if err != nil {
		return err
	}
	if got.status >= 400 {
		return errorOf(got, l.Keys)
	}
	return nil
}

// Note shows everybody who asks a text beside the lease, such as how far the work is; an empty one clears it.
func (l *Lease) Note(ctx context.Context, text string) error {
	_, err := l.say(ctx, call{method: http.MethodPut, target: "/note?" + url.Values{"note": {text}}.Encode()})
	return err
}

// Add takes more locks on the lease, all or none, without a wait; Locks tells their numbers.
func (l *Lease) Add(ctx context.Context, wants ...Want) error {
	for _, want := range wants {
		if err := want.check(); err != nil {
			return err
		}
	}
	body := asJSON(map[string]any{"want": members(wants)})
	got, err := l.say(ctx, call{method: http.MethodPost, target: "/add", body: body})
	if err == nil {
		l.mutex.Lock()
		l.locks = got.locks()
		l.mutex.Unlock()
	}
	return err
}

// say asks for something of the lease; what is gone may be that, and not the lease.
func (l *Lease) say(ctx context.Context, c call) (*answer, error) {
	if err := l.Err(); err != nil {
		return nil, err
	}
	c.target = "/leases/" + l.id + c.target
	got, err := l.client.transport.ask(ctx, l.client.timeout, c)
	if err != nil || got.status < 400 {
		return got, err
	}
	if got.status == http.StatusNotFound || got.status == http.StatusGone {
		l.confirm()
	}
	if err := l.Err(); err != nil {
		return nil, err
	}
	return nil, refusedBy(got)
}

// ReleaseEarly gives the lease back as Release does, and frees what HoldAtLeast keeps, also after a Release.
func (l *Lease) ReleaseEarly() bool { return l.release(l.KeptUntil() != "") }

// Release gives the lease back. It returns true when it was held until now, and false when it was over already; a
// second time asks nobody. No cancellation keeps it from being done.
func (l *Lease) Release() bool { return l.release(false) }

func (l *Lease) release(isEarly bool) bool {
	name := l.id
	if isEarly {
		name += "?early=true"
	}
	l.look()
	l.mutex.Lock()
	was, until := l.state, l.deadline
	if was == held {
		l.state = released
	}
	mayStand := l.mayStand
	l.mayStand = false
	l.mutex.Unlock()
	if was != held {
		if mayStand || isEarly {
			l.free(l.client.undo.lease(name, l.now()+l.ttl))
		}
		return false
	}
	l.stop()
	got := l.client.undo.lease(name, until)
	l.closeStream()
	l.free(got)
	if got != nil && got.isGone() {
		l.mutex.Lock()
		l.loss = lostBy(got, l.Keys)
		l.mutex.Unlock()
	}
	// What nobody heard yet was held all the same.
	return got == nil || got.status < 300
}

// free notes until when a release keeps the slots taken.
func (l *Lease) free(got *answer) {
	if got == nil || got.isGone() {
		return
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.kept = got.KeptUntil
}

// ID returns the secret name of the lease: whoever has it may renew and release.
func (l *Lease) ID() string { return l.id }

// Env returns what a program that is started may know of the lease, as leasehold run gives it.
func (l *Lease) Env() []string {
	holding := l.id
	if outer := os.Getenv("LEASEHOLD_HOLDING"); outer != "" {
		holding = outer + "," + l.id
	}
	var keys, slots []string
	for _, lock := range l.Locks() {
		keys, slots = append(keys, lock.Key), append(slots, lock.Slots...)
	}
	if len(slots) > 0 {
		slots = []string{"LEASEHOLD_SLOT=" + strings.Join(slots, ",")}
	}
	return append(slots,
		"LEASEHOLD_LEASE="+l.id, "LEASEHOLD_FENCE="+strconv.FormatInt(l.Fence, 10),
		"LEASEHOLD_LOCK="+strings.Join(keys, "\n"), "LEASEHOLD_HOLDING="+holding,
		"LEASEHOLD_URL="+l.client.URL(),
	)
}

// String names the lease without its secret.
func (l *Lease) String() string {
	return fmt.Sprintf("lease %s on %s", l.Ref, strings.Join(l.Keys, ", "))
}

// GoString names the lease without its secret.
func (l *Lease) GoString() string { return l.String() }

func (l *Lease) now() time.Duration { return l.client.transport.now() }

// look compares the deadline with the clock.
func (l *Lease) look() {
	l.mutex.Lock()
	left := l.ends() - l.now()
	isOver, why, reason := l.state == held && left <= 0, l.breaking, "deadline"
	if l.suspended < l.deadline {
		reason = "connection-closed"
	}
	l.mutex.Unlock()
	if isOver {
		if why == nil {
			why = lost(reason, l.Keys)
		}
		l.lose(why, true)
	}
}

// ends is when it counts as lost at the latest.
func (l *Lease) ends() time.Duration { return shorter(l.deadline, l.suspended) }

// arm has the clock looked at when it counts as lost.
func (l *Lease) arm() {
	left := l.ends() - l.now()
	if l.timer == nil {
		l.timer = time.AfterFunc(left, l.onTimer)
	} else {
		l.timer.Reset(left)
	}
}

// breakIn notes that an operator ends it: it is held until then, and renewed no more.
func (l *Lease) breakIn(said *document, since time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.state != held {
		return
	}
	l.breaking = lostBy(&answer{document: document{Reason: "broken", BreakReason: said.BreakReason}}, l.Keys)
	l.deadline = shorter(l.deadline, since+time.Duration(said.BreakingIn)*time.Millisecond)
	l.arm()
}

// onTimer looks at the deadline, which was moved meanwhile when the lease was renewed.
func (l *Lease) onTimer() {
	l.look()
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.state == held {
		l.arm()
	}
}

// lose notes a loss; mayStand says that the service may still know the lease, so that it is worth a release.
func (l *Lease) lose(loss *Error, mayStand bool) {
	l.mutex.Lock()
	if l.state != held {
		l.mutex.Unlock()
		return
	}
	l.state, l.loss, l.mayStand = isLost, loss, mayStand
	l.mutex.Unlock()
	l.stop()
	l.closeStream()
}

func (l *Lease) closeStream() {
	l.mutex.Lock()
	s := l.stream
	l.mutex.Unlock()
	s.close()
}

func (l *Lease) stop() {
	l.cancel()
	close(l.done)
	l.client.watcher.remove(l)
	l.mutex.Lock()
	if l.timer != nil {
		l.timer.Stop()
	}
	l.mutex.Unlock()
}

// confirm asks the service; a loss is noted, silence is not.
func (l *Lease) confirm() {
	got, err := l.client.transport.ask(context.Background(), l.client.timeout, call{
		method: http.MethodGet, target: "/leases/" + l.id,
	})
	switch {
	case err != nil:
	case got.isGone():
		l.lose(lostBy(got, l.Keys), false)
	case got.BreakingIn > 0:
		l.breakIn(&got.document, got.sent)
	case got.Yield:
		l.askToYield()
	}
}

func (l *Lease) askToYield() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if !l.isAsked {
		l.isAsked = true
		close(l.yield)
	}
}

// renewOnAndOn renews after a third of the TTL, and tries again what failed, until the deadline (rule 17).
func (l *Lease) renewOnAndOn() {
	l.mutex.Lock()
	next := l.deadline - l.ttl*2/3
	l.mutex.Unlock()
	pause, most := time.Duration(0), longer(l.ttl/6, renewPause)
	renewals := l.client.renewals
	defer renewals.forget(l)
	for {
		renewals.wait(l, next)
		var got *answer
		select {
		case <-l.done:
			return
		case got = <-l.renewed:
		case <-time.After(next - l.now()):
			l.mutex.Lock()
			left, isLast := l.deadline-l.now(), l.deadline >= l.end || l.breaking != nil
			l.mutex.Unlock()
			if isLast || left <= 0 {
				return // the last renewal reached the end, or the clock knows
			}
			got = renewals.renew(l, shorter(longer(l.ttl/6, renewLeast), left), pause > 0)
		}
		if got != nil && got.status < 300 {
			next, pause = got.sent+l.ttl/3, 0
			continue
		}
		pause = shorter(longer(2*pause, renewPause), most)
		next = l.now() + pause
	}
}

func (l *Lease) sendRenewal(ctx context.Context, timeout time.Duration, isFresh bool, said ...Option) (*answer, error) {
	query := url.Values{}
	for name, value := range wished(said).terms {
		query.Set(name, value)
	}
	if left := l.end - l.now(); left < l.ttl {
		query.Set("ttl", inMilliseconds(longer(left, ttlLeast)))
	}
	target := "/leases/" + l.id + "/renew?" + query.Encode()
	got, err := l.client.transport.ask(ctx, timeout, call{method: http.MethodPost, target: target, isFresh: isFresh})
	if err == nil {
		l.take(got)
	}
	return got, err
}

// joins reports whether it may be renewed together with others: for the TTL that it has.
func (l *Lease) joins() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.state == held && l.breaking == nil && l.deadline < l.end && l.end-l.now() >= l.ttl
}

// take takes what a renewal was answered.
func (l *Lease) take(got *answer) {
	if got.Yield {
		l.askToYield()
	}
	switch {
	case got.isGone() && got.BreakingIn > 0:
		l.breakIn(&got.document, got.sent)
	case got.isGone():
		l.lose(lostBy(got, l.Keys), false)
	case got.status < 300 && got.TTL > 0:
		l.mutex.Lock()
		if until := got.sent + time.Duration(got.ExpiresIn)*time.Millisecond; l.breaking == nil {
			l.deadline = shorter(longer(l.deadline, until), l.end)
		}
		l.mutex.Unlock()
	}
}

// leaseContext is the context of a lease: its end is seen by the clock before any timer tells.
type leaseContext struct {
	context.Context
	lease *Lease
}

func (c leaseContext) Err() error {
	c.lease.look()
	return c.Context.Err()
}

func (c leaseContext) Value(key any) any {
	if key == (contextKey{}) {
		return c.lease
	}
	return c.Context.Value(key)
}
