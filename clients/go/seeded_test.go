package leasehold

import (
	"context"
	"errors"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const seededTTL = 400 * time.Millisecond

// seeded is a run of faults: several want one lock, while answers are cut, the daemon dies, and leases are broken.
type seeded struct {
	t      *testing.T
	daemon *daemon
	proxy  *proxy

	mutex  sync.Mutex
	random *rand.Rand
	held   map[Keep]map[*Lease]bool
	broken map[*Lease]bool

	faults, grants, losses, refusals, cancels, checks atomic.Int64
}

func number(name string, otherwise int64) int64 {
	if value, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return value
	}
	return otherwise
}

func TestNoClientSaysThatItHoldsWhatSomebodyElseGot(t *testing.T) {
	t.Parallel()
	seed, count := number("SEED", 1), number("FAULTS", 40)
	d := startDaemon(t, "--heartbeat", "100ms")
	s := &seeded{
		t: t, daemon: d, proxy: proxyBefore(t, d), random: rand.New(rand.NewSource(seed)),
		held: map[Keep]map[*Lease]bool{Process: {}, Stream: {}, Renewal: {}}, broken: map[*Lease]bool{},
	}
	s.proxy.set(s.plan)
	ctx, stop := context.WithCancel(background)
	var workers sync.WaitGroup
	for index := 0; index < 5; index++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			s.work(ctx, d.clientWith(t, Config{URL: s.proxy.url, Timeout: 1500 * time.Millisecond}))
		}()
	}
	for s.faults.Load() < count && !t.Failed() {
		s.disturb()
	}
	stop()
	workers.Wait()
	s.proxy.set(nil)
	for keep := range s.held {
		if !happens(func() bool { return d.isFree(string(keep)) }, 8*time.Second) {
			t.Errorf("seed %d: %s is not free", seed, keep)
		}
	}
	t.Logf("seed %d: %d faults, %d grants, %d lost, %d refused, %d canceled, %d checks", seed, s.faults.Load(),
		s.grants.Load(), s.losses.Load(), s.refusals.Load(), s.cancels.Load(), s.checks.Load())
	if s.grants.Load() == 0 {
		t.Error("nobody got anything")
	}
}

func (s *seeded) chance() float64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.random.Float64()
}

func (s *seeded) plan() *fault {
	if s.chance() > 0.25 {
		return nil
	}
	s.faults.Add(1)
	x := s.chance()
	return &fault{ofRequest: s.chance() < 0.5, after: int(x * x * 1500), isSilence: s.chance() < 0.33}
}

func (s *seeded) keep() Keep { return []Keep{Process, Stream, Renewal}[int(s.chance()*3)] }

func (s *seeded) work(ctx context.Context, c *Client) {
	for ctx.Err() == nil && !s.t.Failed() {
		keep := s.keep()
		options := []Option{Kept(keep), Wait([]time.Duration{0, 300 * time.Millisecond, 2 * time.Second}[int(s.chance()*3)])}
		if keep == Renewal {
			options = append(options, TTL(seededTTL))
		}
		inner, cancel := context.WithCancel(background)
		if s.chance() < 0.2 {
			time.AfterFunc(time.Duration(s.chance()*30)*time.Millisecond, cancel)
		}
		lease, err := c.Obtain(inner, string(keep), options...)
		switch {
		case errors.Is(err, context.Canceled):
			s.cancels.Add(1)
		case err != nil:
			s.refusals.Add(1)
		default:
			s.granted(lease)
			most := 30.0
			if s.chance() < 0.2 {
				most = 600
			}
			time.Sleep(time.Duration(s.chance()*most) * time.Millisecond)
			s.mutex.Lock()
			delete(s.held[keep], lease)
			s.mutex.Unlock()
			if !lease.Release() {
				s.losses.Add(1)
			}
		}
		cancel()
	}
}

// granted looks at the others: who got it later is who has it. Of the other two kinds the loss may be news on its way.
func (s *seeded) granted(lease *Lease) {
	s.grants.Add(1)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for other := range s.held[lease.Keep] {
		if other.Fence > lease.Fence {
			continue
		}
		s.checks.Add(1)
		other := other
		if other.Keep == Renewal && !s.broken[other] {
			if other.Held() {
				s.t.Errorf("%v says held although %v was granted", other, lease)
			}
		} else {
			go func() {
				if !happens(func() bool { return !other.Held() }, 4*time.Second) {
					s.t.Errorf("%v is not told of its loss", other)
				}
			}()
		}
	}
	s.held[lease.Keep][lease] = true
}

func (s *seeded) disturb() {
	time.Sleep(time.Duration(20+s.chance()*150) * time.Millisecond)
	s.faults.Add(1)
	switch kind := s.chance(); {
	case kind < 0.15:
		s.daemon.kill()
		if s.chance() < 0.3 {
			time.Sleep(seededTTL * 3 / 2)
		}
		s.daemon.start()
	case kind < 0.5:
		s.proxy.cut()
	default:
		keep := s.keep()
		s.mutex.Lock()
		var chosen *Lease
		for lease := range s.held[keep] {
			chosen = lease
		}
		if chosen != nil {
			s.broken[chosen] = true
		}
		s.mutex.Unlock()
		if chosen != nil {
			s.daemon.breakLease(chosen, "seeded")
		}
	}
}
