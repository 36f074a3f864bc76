// Command conformance drives the library by lines of JSON: see ../conformance/run.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	leasehold "leasehold.invalid/leasehold/clients/go"
)

type command struct {
	Do          string   `json:"do"`
	As          string   `json:"as"`
	Key         string   `json:"key"`
	Keys        []string `json:"keys"`
	Wait        *float64 `json:"wait"`
	Keep        string   `json:"keep"`
	TTL         *float64 `json:"ttl"`
	Shared      bool     `json:"shared"`
	Slots       int      `json:"slots"`
	Count       int      `json:"count"`
	MaxHold     *float64 `json:"max_hold"`
	Timeout     float64  `json:"timeout"`
	CancelAfter *float64 `json:"cancel_after"`
	Seconds     float64  `json:"seconds"`
}

type object map[string]any

var kinds = []struct {
	kind error
	name string
}{
	{leasehold.ErrWaitTimeout, "wait-timeout"}, {leasehold.ErrLocked, "locked"},
	{leasehold.ErrAlreadyHeld, "already-held"}, {leasehold.ErrDeadlock, "deadlock"},
	{leasehold.ErrLeaseLost, "lease-lost"}, {leasehold.ErrDenied, "denied"},
	{leasehold.ErrUnavailable, "unavailable"}, {leasehold.ErrKernelLimit, "kernel-limit"},
	{leasehold.ErrInvalid, "invalid"}, {context.Canceled, "canceled"}, {errUnsupported, "unsupported"},
}

var (
	errUnsupported = errors.New("there is no such command")
	leases         = map[string]*leasehold.Lease{}
	cancels        = map[string]context.CancelFunc{}
	clients        = map[float64]*leasehold.Client{}
)

func seconds(number float64) time.Duration { return time.Duration(number * float64(time.Second)) }

func clientOf(timeout float64) (*leasehold.Client, error) {
	if clients[timeout] == nil {
		client, err := leasehold.NewClient(leasehold.Config{Timeout: seconds(timeout)})
		if err != nil {
			return nil, err
		}
		clients[timeout] = client
	}
	return clients[timeout], nil
}

func (c *command) options() []leasehold.Option {
	var options []leasehold.Option
	if c.Keep != "" {
		options = append(options, leasehold.Kept(leasehold.Keep(c.Keep)))
	}
	if c.Wait != nil {
		options = append(options, leasehold.Wait(seconds(*c.Wait)))
	}
	if c.TTL != nil {
		options = append(options, leasehold.TTL(seconds(*c.TTL)))
	}
	if c.MaxHold != nil {
		options = append(options, leasehold.MaxHold(seconds(*c.MaxHold)))
	}
	if c.Shared {
		options = append(options, leasehold.Shared())
	}
	if c.Slots != 0 {
		options = append(options, leasehold.Slots(c.Slots))
	}
	if c.Count != 0 {
		options = append(options, leasehold.Count(c.Count))
	}
	return options
}

func (c *command) acquire() (object, error) {
	client, err := clientOf(c.Timeout)
	if err != nil {
		return nil, err
	}
	// It ends with the program: the context of the lease comes from it.
	ctx, cancel := context.WithCancel(context.Background())
	cancels[c.As] = cancel
	if c.CancelAfter != nil {
		timer := time.AfterFunc(seconds(*c.CancelAfter), cancel)
		defer timer.Stop()
	}
	var lease *leasehold.Lease
	if c.Keys != nil {
		wants := make([]leasehold.Want, len(c.Keys))
		for index, key := range c.Keys {
			wants[index].Key = key
		}
		lease, err = client.ObtainAll(ctx, wants, c.options()...)
	} else {
		lease, err = client.Obtain(ctx, c.Key, c.options()...)
	}
	if err != nil {
		return nil, err
	}
	leases[c.As] = lease
	return object{"fence": lease.Fence, "ref": lease.Ref, "keep": lease.Keep}, nil
}

func reasonOf(lease *leasehold.Lease) any {
	var e *leasehold.Error
	if errors.As(lease.Err(), &e) {
		return e.Reason
	}
	return nil
}

func (c *command) run() (object, error) {
	lease := leases[c.As]
	if lease == nil && c.Do != "acquire" && c.Do != "hello" && c.Do != "sleep" {
		return nil, errUnsupported
	}
	switch c.Do {
	case "hello":
		wall := float64(time.Now().UnixNano()) / 1e9
		return object{"client": "go", "keeps": []string{"process", "stream", "renewal"}, "wall": wall}, nil
	case "acquire":
		return c.acquire()
	case "state":
		said := object{"held": lease.Held(), "remaining": nil, "reason": reasonOf(lease)}
		if left, isBounded := lease.Remaining(); isBounded {
			said["remaining"] = left.Seconds()
		}
		return said, nil
	case "check":
		return nil, lease.Err()
	case "wait_lost":
		select {
		case <-lease.Context().Done():
		case <-time.After(seconds(c.Timeout)):
		}
		reason := reasonOf(lease)
		return object{"lost": reason != nil, "reason": reason}, nil
	case "renew":
		return nil, lease.Renew(context.Background())
	case "release":
		return object{"held": lease.Release()}, nil
	case "sleep":
		time.Sleep(seconds(c.Seconds))
		return nil, nil
	default:
		return nil, errUnsupported
	}
}

func answerOf(said object, err error) object {
	if err == nil {
		if said == nil {
			said = object{}
		}
		said["ok"] = true
		return said
	}
	failed := object{"ok": false, "error": "other", "code": nil, "message": err.Error()}
	for _, kind := range kinds {
		if errors.Is(err, kind.kind) {
			failed["error"] = kind.name
			break
		}
	}
	var e *leasehold.Error
	if errors.As(err, &e) {
		failed["code"] = e.Code
		if e.Reason != "" {
			failed["reason"] = e.Reason
		}
	}
	return failed
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c command
		var answer object
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			answer = answerOf(nil, err)
		} else {
			answer = answerOf(c.run())
		}
		text, err := json.Marshal(answer)
		if err != nil {
			panic(err) // texts and numbers only
		}
		fmt.Println(string(text))
	}
}
