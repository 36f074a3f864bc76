// Package leasehold takes locks of the Leasehold service, and tells when they are lost.
//
//	lease, err := leasehold.Obtain(ctx, "deploy", leasehold.Wait(10*time.Second))
//	if err != nil {
//		return err
//	}
//	defer lease.Release()
//	return deploy(lease.Context(), lease.Fence)
//
// On the Unix socket of the host a lease lives as long as the process; elsewhere an open connection keeps it, or, with
// TTL, a goroutine renews it. The numbers of rules in this package are those of clients/BEHAVIOUR.md.
package leasehold

import (
	"context"
	"errors"
	"sync"
)

var (
	defaultOnce   sync.Once
	defaultClient *Client
	errDefault    error
)

// Default returns the client that the functions of the package use: it goes where the environment says.
func Default() (*Client, error) {
	defaultOnce.Do(func() { defaultClient, errDefault = NewClient(Config{}) })
	return defaultClient, errDefault
}

// Obtain takes a lock. Without Wait it waits until it gets it, or ctx ends.
func Obtain(ctx context.Context, key string, options ...Option) (*Lease, error) {
	client, err := Default()
	if err != nil {
		return nil, err
	}
	return client.Obtain(ctx, key, options...)
}

// ObtainAll takes several locks on one lease, all or none.
func ObtainAll(ctx context.Context, wants []Want, options ...Option) (*Lease, error) {
	client, err := Default()
	if err != nil {
		return nil, err
	}
	return client.ObtainAll(ctx, wants, options...)
}

// Do takes a lock, runs work, and gives the lock back however work ends. The context of work ends when the lease is
// lost; FromContext has the lease.
func Do(ctx context.Context, key string, work func(context.Context) error, options ...Option) error {
	client, err := Default()
	if err != nil {
		return err
	}
	return client.Do(ctx, key, work, options...)
}

// Obtain takes a lock. Without Wait it waits until it gets it, or ctx ends.
func (c *Client) Obtain(ctx context.Context, key string, options ...Option) (*Lease, error) {
	w := wished(options)
	w.one.Key = key
	w.wants = []Want{w.one}
	return c.obtain(ctx, w)
}

// ObtainAll takes several locks on one lease, all or none. Shared, Slots and Count stand in each Want.
func (c *Client) ObtainAll(ctx context.Context, wants []Want, options ...Option) (*Lease, error) {
	w := wished(options)
	if w.one.isSaid() {
		return nil, invalid("of several locks each Want says for itself whether it is shared or has slots")
	}
	w.wants = append([]Want(nil), wants...)
	return c.obtain(ctx, w)
}

// Do takes a lock, runs work, and gives the lock back however work ends. The context of work ends when the lease is
// lost; FromContext has the lease. A lost lease is an error, unless work failed by itself or IgnoreLoss is given.
func (c *Client) Do(ctx context.Context, key string, work func(context.Context) error, options ...Option) error {
	lease, err := c.Obtain(ctx, key, options...)
	if err != nil {
		return err
	}
	defer lease.Release()
	err = work(lease.Context())
	lease.Release()
	loss := lease.Err()
	switch {
	case loss == nil, lease.ignoresLoss && err == nil:
		return err
	case err == nil, errors.Is(err, context.Canceled) && ctx.Err() == nil:
		return loss
	default:
		return err
	}
}

type contextKey struct{}

// FromContext returns the innermost lease whose context this is, or comes from; nil when there is none.
func FromContext(ctx context.Context) *Lease {
	lease, _ := ctx.Value(contextKey{}).(*Lease)
	return lease
}
