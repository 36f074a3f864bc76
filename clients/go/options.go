package leasehold

import (
	"encoding/json"
	"math"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const forever = time.Duration(math.MaxInt64)

// Keep is how a lease is kept.
type Keep string

const (
	// Auto is Process over a Unix socket where the service sees the process, else Stream; Renewal with a TTL.
	Auto Keep = "auto"
	// Process binds the lease to this process: it ends when that ends, and outlives a restart of the service.
	Process Keep = "process"
	// Cgroup binds the lease to this process's cgroup, such as its systemd unit: it ends with the last process of it.
	Cgroup Keep = "cgroup"
	// Stream binds the lease to a connection; one that ends with a restart of the service is opened again in its grace.
	Stream Keep = "stream"
	// Renewal gives the lease a TTL, and renews it.
	Renewal Keep = "renewal"
)

// Want is one of several locks on one lease.
type Want struct {
	Key string
	// Shared holds it beside others who share.
	Shared bool
	// Slots makes or expects a counting lock, Count is how many to take; 0 is unsaid.
	Slots, Count int
	// Names are those of all slots, in place of their number; Slot are those of the slots to take.
	Names, Slot []string
	// Create makes the set of a name like sysv:0x51.0 where there is none; Value is that of its semaphores, 0 is 1.
	Create bool
	Value  int
}

func (want Want) isSaid() bool { return want.Key != "" || len(want.fields()) > 0 }

// Option is how a lease is wanted.
type Option func(*wish)

// Wait bounds the wait in the queue; 0 tries once. Without it the wait ends with the context.
func Wait(most time.Duration) Option { return func(w *wish) { w.wait = most } }

// Shared holds the lock beside others who share it.
func Shared() Option { return func(w *wish) { w.one.Shared = true } }

// Slots takes one of so many slots of a counting lock.
func Slots(number int) Option { return func(w *wish) { w.one.Slots = number } }

// Count takes several slots at once, all or none.
func Count(number int) Option { return func(w *wish) { w.one.Count = number } }

// SlotNames takes one of the slots of a counting lock that have these names; Lease.Slot is the one.
func SlotNames(names ...string) Option { return func(w *wish) { w.one.Names = names } }

// Slot takes the slots of these names.
func Slot(names ...string) Option { return func(w *wish) { w.one.Slot = names } }

// TTL asks for a lease that ends after this time unless it is renewed, and renews it.
func TTL(ttl time.Duration) Option { return func(w *wish) { w.ttl, w.hasTTL = ttl, true } }

// MaxHold is how long the lease may last at most.
func MaxHold(most time.Duration) Option {
	return func(w *wish) { w.maxHold, w.hasMaxHold = most, true }
}

// Create makes the set of a name like sysv:0x51.0 where there is none, each semaphore with a value.
func Create(value int) Option { return func(w *wish) { w.one.Create, w.one.Value = true, value } }

// Cooldown is how long the slots stay taken after the lease was lost.
func Cooldown(rest time.Duration) Option { return span("cooldown", rest) }

// HoldAtLeast is how long the slots stay taken from the grant on, even when the lease is given back earlier.
func HoldAtLeast(time time.Duration) Option { return span("hold_at_least", time) }

// StopGrace has this process stopped before the lock goes on, at the end of MaxHold or when an operator ends the lease: it
// gets TERM, and KILL after a time.
func StopGrace(time time.Duration) Option {
	return func(w *wish) { term("stop", "term")(w); span("grace", time)(w) }
}

// Newest names a group of which this request is the newest: older ones that wait end with ErrSuperseded, and a holder
// of the group is asked to yield.
func Newest(group string) Option { return term("newest", group) }

// Note is the holder's own words, shown to everybody who asks who holds the lock.
func Note(text string) Option { return term("note", text) }

// Owner is shown to everybody who asks who holds the lock; without it USER@HOST PROGRAM.
func Owner(text string) Option { return term("owner", text) }

// Pinned lets a Resize keep what it gives, whatever number of slots callers ask for.
func Pinned() Option { return term("pinned", "true") }

// term is what the service is told as it is.
func term(name, value string) Option { return func(w *wish) { w.terms[name] = value } }

func span(name string, d time.Duration) Option {
	return func(w *wish) {
		w.isNegative = w.isNegative || d < 0
		w.terms[name] = inMilliseconds(d + time.Millisecond - 1)
	}
}

// Kept says how the lease is kept.
func Kept(by Keep) Option { return func(w *wish) { w.keep = by } }

// IgnoreLoss lets Do return nil although the lease was lost, when its work had no error.
func IgnoreLoss() Option { return func(w *wish) { w.ignoresLoss = true } }

// wish is what a caller wants.
type wish struct {
	one                Want
	wants              []Want
	wait, ttl, maxHold time.Duration
	hasTTL, hasMaxHold bool
	isNegative         bool
	keep               Keep
	terms              map[string]string
	ignoresLoss        bool
	holding            []string
	until              time.Duration
}

func wished(options []Option) *wish {
	w := &wish{wait: forever, keep: Auto, terms: map[string]string{}}
	for _, option := range options {
		option(w)
	}
	return w
}

func (w *wish) keys() []string {
	keys := make([]string, len(w.wants))
	for index, want := range w.wants {
		keys[index] = want.Key
	}
	return keys
}

// check refuses what makes no sense, and settles what was left open.
func (w *wish) check() error {
	if len(w.wants) == 0 || len(w.wants) > 32 {
		return invalid("a lease is on 1 to 32 locks, not on %d", len(w.wants))
	}
	for _, want := range w.wants {
		if err := want.check(); err != nil {
			return err
		}
	}
	switch w.keep {
	case Auto, Renewal:
	case Process, Cgroup, Stream:
		if w.hasTTL {
			return invalid("TTL is for leases that are renewed, not for those kept by %s; MaxHold bounds any", w.keep)
		}
	default:
		return invalid("a lease is kept by auto, process, cgroup, stream or renewal, not by %q", w.keep)
	}
	switch {
	case w.keep == Stream && len(w.wants) > 1:
		return invalid("a stream keeps one lock; several are kept by process or renewal")
	case w.wait < 0 || w.isNegative:
		return invalid("a time is not negative")
	case w.hasTTL && w.ttl < ttlLeast, w.hasMaxHold && w.maxHold < ttlLeast:
		return invalid("TTL and MaxHold are %v and longer", ttlLeast)
	}
	if w.hasTTL {
		w.keep = Renewal
	} else {
		w.ttl = ttlDefault
	}
	if !w.hasMaxHold {
		w.maxHold = forever
	}
	if _, isSaid := w.terms["owner"]; !isSaid {
		w.terms["owner"] = defaultOwner()
	}
	return nil
}

func (want Want) check() error {
	switch {
	case want.Key == "":
		return invalid("the name of a lock is not empty")
	case want.Shared && (want.Slots != 0 || len(want.Names) > 0):
		return invalid("a lock with slots cannot be shared")
	}
	for _, number := range []int{want.Slots, want.Count, want.Value} {
		if number < 0 || number > 32767 {
			return invalid("slots, count and value are from 1 to 32767")
		}
	}
	for _, name := range append(want.Names[:len(want.Names):len(want.Names)], want.Slot...) {
		if name == "" || strings.Contains(name, ",") {
			return invalid("the name of a slot is not empty and has no comma: %q", name)
		}
	}
	return nil
}

// request returns the target and the JSON body of an acquire that is kept in a way and waits for so long.
func (w *wish) request(way Keep, wait time.Duration) (string, []byte) {
	fields := map[string]string{}
	for name, value := range w.terms {
		fields[name] = value
	}
	if wait > 0 {
		fields["wait"] = inMilliseconds(wait + time.Millisecond - 1)
	}
	switch way {
	case Process:
		fields["bind"], fields["ttl"] = "pid:"+strconv.Itoa(os.Getpid()), "0"
	case Cgroup:
		fields["bind"], fields["ttl"] = "cgroup", "0"
	}
	if w.maxHold < forever {
		fields["ttl"] = inMilliseconds(w.maxHold)
	}
	if way == Renewal {
		fields["ttl"] = inMilliseconds(shorter(w.ttl, w.maxHold))
	}
	if len(w.holding) > 0 {
		fields["holding"] = strings.Join(w.holding, ",")
	}
	if len(w.wants) > 1 {
		return w.several(fields)
	}
	values := url.Values{}
	for name, value := range fields {
		values.Set(name, value)
	}
	want := w.wants[0]
	for name, value := range want.fields() {
		values.Set(name, value.(string))
	}
	verb := "acquire"
	if way == Stream {
		verb = "hold"
	}
	return "/locks/" + url.PathEscape(want.Key) + "/" + verb + "?" + values.Encode(), nil
}

func (w *wish) several(fields map[string]string) (string, []byte) {
	whole := map[string]any{}
	for name, value := range fields {
		whole[name] = value
	}
	whole["want"] = members(w.wants)
	return "/leases", asJSON(whole)
}

func members(wants []Want) []map[string]any {
	all := make([]map[string]any, len(wants))
	for index, want := range wants {
		all[index] = want.fields()
		all[index]["key"] = want.Key
	}
	return all
}

func asJSON(whole map[string]any) []byte {
	body, err := json.Marshal(whole)
	if err != nil {
		panic(err) // texts and numbers only
	}
	return body
}

func (want Want) fields() map[string]any {
	fields := map[string]any{}
	if want.Shared {
		fields["mode"] = "shared"
	}
	if want.Slots > 0 {
		fields["limit"] = strconv.Itoa(want.Slots)
	}
	if want.Count > 0 {
		fields["count"] = strconv.Itoa(want.Count)
	}
	if len(want.Names) > 0 {
		fields["slots"] = strings.Join(want.Names, ",")
	}
	if len(want.Slot) > 0 {
		fields["slot"] = strings.Join(want.Slot, ",")
	}
	if want.Create {
		fields["create"] = "1"
	}
	if want.Value > 0 {
		fields["value"] = strconv.Itoa(want.Value)
	}
	return fields
}

func inMilliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

func shorter(a, b time.Duration) time.Duration {
	if a < b {
		return a
	}
	return b
}

func longer(a, b time.Duration) time.Duration {
	if a > b {
		return a
	}
	return b
}

// defaultOwner is USER@HOST PROGRAM in 128 bytes (rule 8).
func defaultOwner() string {
	name := "unknown"
	if who, err := user.Current(); err == nil {
		name = who.Username
	}
	host, _ := os.Hostname()
	text := strings.ToValidUTF8(name+"@"+host+" "+filepath.Base(os.Args[0]), "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, text)
	for len(text) > 128 {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
