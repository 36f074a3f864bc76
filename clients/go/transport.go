package leasehold

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const bodyMost = 16 << 20

// document has the members of all answers that the library reads.
type document struct {
	Key         string   `json:"key"`
	Lease       string   `json:"lease"`
	Ref         string   `json:"ref"`
	Mode        string   `json:"mode"`
	Fence       int64    `json:"fence"`
	Owner       string   `json:"owner"`
	Slots       []string `json:"slots"`
	TTL         int64    `json:"ttl_ms"`
	ExpiresIn   int64    `json:"expires_in_ms"`
	Waited      int64    `json:"waited_ms"`
	Code        string   `json:"code"`
	Detail      string   `json:"detail"`
	RequestID   string   `json:"request_id"`
	Parameter   string   `json:"parameter"`
	Maximum     int64    `json:"maximum_ms"`
	Holders     []Holder `json:"holders"`
	Waiters     int      `json:"waiters"`
	Circle      []Waiter `json:"circle"`
	Reason      string   `json:"reason"`
	BreakReason string   `json:"break_reason"`
	Grace       int64    `json:"recovery_grace_ms"`
	BreakingIn  int64    `json:"breaking_in_ms"`
	EndedAt     string   `json:"ended_at"`
	KeptUntil   string   `json:"kept_until"`
	Yield       bool     `json:"yield"`
	At          string   `json:"at"`
	Ended       string   `json:"ended"`
	// Of a lease on several locks, and of a request for several leases.
	Locks   []document `json:"locks"`
	Renewed []document `json:"renewed"`
	Lost    []document `json:"lost"`
}

// answer is a whole one; sent is when its request went off.
type answer struct {
	document
	status int
	sent   time.Duration
}

// isGone reports whether it says that the lease is over.
func (a *answer) isGone() bool {
	return a.status == http.StatusGone || (a.status == http.StatusNotFound && a.Code == "no-such-lease")
}

// locks has one document for each lock of a lease.
func (a *answer) locks() []document {
	if len(a.Locks) > 0 {
		return a.Locks
	}
	return []document{a.document}
}

// transport is HTTP to one service.
type transport struct {
	address   address
	token     string
	now       func() time.Duration
	kept      *http.Transport
	fresh     *http.Transport
	isReached atomic.Bool
}

func newTransport(config Config) (*transport, error) {
	where, err := addressOf(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Token == "" {
		config.Token = os.Getenv("LEASEHOLD_TOKEN")
	}
	if config.Authorities == "" {
		config.Authorities = os.Getenv("LEASEHOLD_CACERT")
	}
	t := &transport{address: where, token: config.Token, now: where.clock()}
	t.kept = &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: 50 * time.Second, DisableCompression: true}
	if where.socket != "" {
		t.kept.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", where.socket)
		}
	}
	if config.Authorities != "" {
		text, err := os.ReadFile(config.Authorities)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, invalid("%s has no certificate in PEM", config.Authorities)
		}
		t.kept.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	t.fresh = t.kept.Clone()
	t.fresh.DisableKeepAlives = true
	return t, nil
}

func (t *transport) close() {
	t.kept.CloseIdleConnections()
	t.fresh.CloseIdleConnections()
}

// call is a request. net/http sends it again itself when a kept connection turns out to be closed (rule 36).
type call struct {
	method, target string
	body           []byte
	key            string
	isFresh        bool
	onSent         func()
}

func (t *transport) send(ctx context.Context, c call) (*http.Response, error) {
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) {
		t.isReached.Store(true)
		if c.onSent != nil {
			c.onSent()
		}
	}})
	request, err := http.NewRequestWithContext(ctx, c.method, t.address.base+c.target, bytes.NewReader(c.body))
	if err != nil {
		return nil, err
	}
	// Without a value it is not sent, and says that the request may be sent twice.
	request.Header["Idempotency-Key"] = []string{}
	if c.key != "" {
		request.Header.Set("Idempotency-Key", c.key)
	}
	if t.token != "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	if c.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	way := t.kept
	if c.isFresh {
		way = t.fresh
	}
	return way.RoundTrip(request)
}

// ask sends a request and reads the whole answer. The error is that of ctx, or an *Error.
func (t *transport) ask(ctx context.Context, timeout time.Duration, c call) (*answer, error) {
	sent := t.now()
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	response, err := t.send(limited, c)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(response.Body, bodyMost))
		response.Body.Close()
	}
	if err != nil {
		return nil, t.failure(ctx, limited, err)
	}
	a := &answer{status: response.StatusCode, sent: sent}
	if err := parse(text, &a.document); err != nil && a.status < 400 {
		return nil, t.notHTTP(err)
	}
	return a, nil
}

// parse reads JSON; members of another type than expected are left out.
func parse(text []byte, into *document) error {
	err := json.Unmarshal(text, into)
	var mistyped *json.UnmarshalTypeError
	if errors.As(err, &mistyped) {
		return nil
	}
	return err
}

func (t *transport) notHTTP(cause error) *Error {
	detail := "what answers at " + t.address.text + " is not Leasehold"
	return &Error{Kind: ErrUnavailable, Code: "malformed", Detail: detail, cause: cause}
}

func (t *transport) failure(ctx, limited context.Context, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	e := &Error{Kind: ErrUnavailable, Code: "unreachable", cause: cause}
	var unknown x509.UnknownAuthorityError
	var misnamed x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(cause, &unknown), errors.As(cause, &misnamed), errors.As(cause, &invalid):
		e.Code, e.Detail = "insecure", fmt.Sprintf("cannot trust the service at %s: %v", t.address.text, cause)
	case limited.Err() != nil:
		e.Code, e.timedOut = "no-answer", true
		e.Detail = fmt.Sprintf("the service at %s did not answer in time", t.address.text)
	case errors.Is(cause, syscall.EACCES), errors.Is(cause, syscall.EPERM):
		e.Kind, e.Code, e.Detail = ErrDenied, "socket-denied", t.address.refusal()
	case errors.Is(cause, syscall.ECONNREFUSED), errors.Is(cause, fs.ErrNotExist):
		help := "is `leasehold serve` running, and is LEASEHOLD_URL right?"
		e.Detail = fmt.Sprintf("cannot reach the service at %s: %v; %s", t.address.text, cause, help)
	default:
		e.Detail = fmt.Sprintf("cannot reach the service at %s: %v", t.address.text, cause)
	}
	return e
}
