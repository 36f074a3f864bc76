package leasehold

import (
	"errors"
	"fmt"
	"strings"
)

// What an Error is, for errors.Is. Each code of the service belongs to one of them, or to none.
var (
	// ErrLocked says that somebody else has the lock.
	ErrLocked = errors.New("the lock is held")
	// ErrWaitTimeout says that somebody else still had the lock when the wait was over. It is an ErrLocked, too.
	ErrWaitTimeout = errors.New("the lock was still held when the wait was over")
	// ErrAlreadyHeld says that the caller waits for what it holds itself.
	ErrAlreadyHeld = errors.New("the caller holds the lock itself")
	// ErrDeadlock says that two or more wait for each other.
	ErrDeadlock = errors.New("waiting would never end")
	// ErrSuperseded says that a newer request of its group (Newest) waits: leave the work to that one.
	ErrSuperseded = errors.New("a newer request of the group waits")
	// ErrLeaseLost says that the lease is over although nobody here gave it back.
	ErrLeaseLost = errors.New("the lease is lost")
	// ErrDenied says that the caller may not do this.
	ErrDenied = errors.New("not allowed")
	// ErrUnavailable says that no service answered, or that it has no room just now.
	ErrUnavailable = errors.New("the service is not available")
	// ErrKernelLimit says that the kernel has no room for another semaphore.
	ErrKernelLimit = errors.New("the kernel has no room")
	// ErrInvalid says that the request can never succeed as it is.
	ErrInvalid = errors.New("not valid")
)

// Error is what the service refused, or why it could not be asked.
type Error struct {
	// Kind is one of the variables above, or nil.
	Kind error
	// Code is stable, and listed in openapi.yaml.
	Code string
	// Detail is a sentence that says what to do.
	Detail string
	// Status is that of the answer; 0 where nothing answered.
	Status int
	// RequestID finds the request in the log of the service.
	RequestID string
	// Parameter is the name of what an ErrInvalid is about.
	Parameter string
	// Holders are those of an ErrLocked, Waiters how many wait.
	Holders []Holder
	Waiters int
	// Circle says who waits for what, of an ErrDeadlock.
	Circle []Waiter
	// Reason says why a lease is lost: the service's word, or deadline, silent, connection-closed. BreakReason is what
	// an operator said, EndedAt the service's instant (RFC 3339); each is empty where nobody knows.
	Reason, BreakReason, EndedAt string

	timedOut bool
	cause    error
}

// Holder is a lease of somebody else.
type Holder struct {
	Ref   string `json:"ref"`
	State string `json:"state"`
	Mode  string `json:"mode"`
	Fence int64  `json:"fence"`
	Owner string `json:"owner"`
}

// Waiter is a member of a circle of those who wait for each other.
type Waiter struct {
	WaitsFor string `json:"waits_for"`
	Holds    string `json:"holds"`
	Ref      string `json:"ref"`
	Owner    string `json:"owner"`
	You      bool   `json:"you"`
}

func (e *Error) Error() string {
	if e.Status == 0 || e.Code == "lease-lost" {
		return "leasehold: " + e.Detail
	}
	return fmt.Sprintf("leasehold: %s: %s", e.Code, e.Detail)
}

// Is reports whether the error is of a kind.
func (e *Error) Is(target error) bool {
	return e.Kind == target || (e.Kind == ErrWaitTimeout && target == ErrLocked)
}

// Timeout reports whether a wait was over.
func (e *Error) Timeout() bool { return e.Kind == ErrWaitTimeout }

func (e *Error) Unwrap() error { return e.cause }

func invalid(format string, values ...any) *Error {
	return &Error{Kind: ErrInvalid, Code: "invalid-option", Detail: fmt.Sprintf(format, values...)}
}

func lost(reason string, keys []string) *Error {
	return lostBy(&answer{document: document{Reason: reason}}, keys)
}

func lostBy(a *answer, keys []string) *Error {
	reason := a.Reason
	if reason == "" {
		reason = a.Code
	}
	why := reason
	if a.BreakReason != "" {
		why += ": " + a.BreakReason
	}
	return &Error{
		Kind: ErrLeaseLost, Code: "lease-lost", Status: a.status, RequestID: a.RequestID,
		Detail: fmt.Sprintf("the lease on %s is lost (%s)", strings.Join(keys, ", "), why),
		Reason: reason, BreakReason: a.BreakReason, EndedAt: a.EndedAt,
	}
}

// errorOf makes the error of an answer of 400 and above.
func errorOf(a *answer, keys []string) *Error {
	if a.isGone() {
		return lostBy(a, keys)
	}
	return refusedBy(a)
}

func refusedBy(a *answer) *Error {
	e := &Error{
		Kind: a.kind(), Code: a.Code, Detail: a.Detail, Status: a.status, RequestID: a.RequestID, Parameter: a.Parameter,
		Holders: a.Holders, Waiters: a.Waiters, Circle: a.Circle,
	}
	if e.Code == "" {
		e.Code = fmt.Sprintf("http-%d", a.status)
		e.Detail = fmt.Sprintf("the service answered with status %d", a.status)
	}
	return e
}

func (a *answer) kind() error {
	switch {
	case a.Code == "wait-timeout":
		return ErrWaitTimeout
	case a.status == 423:
		return ErrLocked
	case a.Code == "deadlock" && len(a.Circle) == 1 && a.Circle[0].You:
		return ErrAlreadyHeld
	case a.Code == "deadlock":
		return ErrDeadlock
	case a.Code == "superseded":
		return ErrSuperseded
	case a.status == 401, a.status == 403:
		return ErrDenied
	case a.status == 507:
		return ErrKernelLimit
	case a.status == 429, a.status == 503:
		return ErrUnavailable
	case a.status < 500:
		return ErrInvalid
	default:
		return nil
	}
}
