package leasehold

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnAnswerThatStopsAfterAnyByteCostsNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for keep, options := range map[Keep][]Option{Process: nil, Renewal: {TTL(2 * time.Second)}} {
		keep, options := keep, options
		t.Run(string(keep), func(t *testing.T) {
			t.Parallel()
			p := proxyBefore(t, d)
			for after := 0; after < 900; after += 31 {
				for _, ofRequest := range []bool{false, true} {
					key := fmt.Sprintf("%s %d %v", keep, after, ofRequest)
					p.once(1, fault{ofRequest: ofRequest, after: after})
					c := d.client(t, p.url)
					lease, err := c.Obtain(background, key, options...)
					must(t, err)
					if held, ref := d.count(key, "held"), d.holder(key); held != 1 || ref != lease.Ref {
						t.Fatal(key, held, ref, lease)
					}
					if !lease.Release() || !d.isFree(key) {
						t.Fatal(key, "was not released")
					}
					c.Close()
				}
			}
		})
	}
}

func TestAReleaseWhoseAnswerStopsIsAskedForAgain(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	p := proxyBefore(t, d)
	for after := 0; after < 300; after += 23 {
		c := d.client(t, p.url)
		p.set(nil)
		lease, err := c.Obtain(background, "a")
		must(t, err)
		p.once(1, fault{after: after})
		p.cut()
		if !lease.Release() || !d.isFree("a") {
			t.Fatal(after)
		}
		c.Close()
	}
}

func TestAReleaseOnASilentConnectionIsAskedForOnAnother(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	p := proxyBefore(t, d)
	lease, err := d.client(t, p.url).Obtain(background, "a")
	must(t, err)
	p.once(1, fault{isSilence: true})
	p.cut()
	begun := time.Now()
	if !lease.Release() || time.Since(begun) > 1500*time.Millisecond || !d.isFree("a") {
		t.Fatal("not released in time")
	}
}

func TestAnAnswerThatIsNeverWhole(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--heartbeat", "100ms")
	t.Run("is given up after its time, and taken back", func(t *testing.T) {
		p := proxyBefore(t, d)
		p.once(1, fault{after: 20, isSilence: true})
		c := d.clientWith(t, Config{URL: p.url, Timeout: 200 * time.Millisecond})
		if _, err := c.Obtain(background, "a", Wait(0)); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
		eventually(t, "it is taken back", func() bool { return d.isFree("a") })
	})
	t.Run("is a loss where it is a stream that went silent", func(t *testing.T) {
		p := proxyBefore(t, d)
		p.set(func() *fault { return &fault{after: 1200, isSilence: true} })
		lease, err := d.client(t, p.url).Obtain(background, "b", Kept(Stream))
		must(t, err)
		if e := lostWithin(t, lease, 5*time.Second); e.Reason != "silent" {
			t.Fatal(e)
		}
		eventually(t, "the connection is closed", func() bool { return d.isFree("b") })
	})
	t.Run("does not end a lease that is renewed before its deadline", func(t *testing.T) {
		p := proxyBefore(t, d)
		lease, err := d.client(t, p.url).Obtain(background, "c", TTL(1500*time.Millisecond))
		must(t, err)
		p.once(2, fault{after: 5})
		p.cut()
		time.Sleep(2500 * time.Millisecond)
		if err := lease.Err(); err != nil || !lease.Release() {
			t.Fatal(err)
		}
	})
}

func TestAServiceThatIsAwayForLongerThanTheLease(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	p := proxyBefore(t, d)
	c := d.client(t, p.url)
	lease, err := c.Obtain(background, "a", TTL(600*time.Millisecond))
	must(t, err)
	other, err := c.Obtain(background, "b")
	must(t, err)
	p.set(func() *fault { return &fault{ofRequest: true} })
	p.cut()
	next := make(chan *Lease)
	go func() {
		lease, _ := d.client(t, "").Obtain(background, "a", Wait(5*time.Second))
		next <- lease
	}()
	if e := lostWithin(t, lease, 3*time.Second); e.Reason != "deadline" {
		t.Fatal(e)
	}
	granted := <-next
	if granted == nil || granted.Fence <= lease.Fence {
		t.Fatal("the next did not get it")
	}
	if other.Err() != nil {
		t.Fatal("the kernel has what is kept by process")
	}
	p.set(nil)
	if !other.Release() || !granted.Release() {
		t.Fatal("not released")
	}
}

func TestAServiceThatIsAwayForAWhile(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	p := proxyBefore(t, d)
	broken, err := d.client(t, p.url).Obtain(background, "broken")
	must(t, err)
	time.Sleep(100 * time.Millisecond)
	p.set(func() *fault { return &fault{ofRequest: true} })
	p.cut()
	d.breakLease(broken, "nobody tells")
	time.Sleep(200 * time.Millisecond)
	p.set(nil)
	lostWithin(t, broken, 3*time.Second)

	lease, err := d.client(t, "").Obtain(background, "a")
	must(t, err)
	queued := make(chan *Lease)
	go func() {
		next, _ := d.client(t, "").Obtain(background, "a", Wait(8*time.Second))
		queued <- next
	}()
	eventually(t, "it waits", func() bool { return d.count("a", "waiting") == 1 })
	d.kill()
	time.Sleep(200 * time.Millisecond)
	d.start()
	eventually(t, "its place is asked for again", func() bool { return d.count("a", "waiting") == 1 })
	d.kill()
	time.AfterFunc(300*time.Millisecond, d.start)
	if !lease.Release() {
		t.Fatal("the release did not wait for the service")
	}
	if next := <-queued; next == nil || !next.Release() {
		t.Fatal("the next did not get it")
	}
}

func TestMaxHoldBoundsEachKind(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for key, options := range map[string][]Option{
		"process": nil, "stream": {Kept(Stream)}, "renewal": {TTL(400 * time.Millisecond)},
	} {
		key, options := key, options
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			lease, err := d.client(t, "").Obtain(background, key, append(options, MaxHold(800*time.Millisecond))...)
			must(t, err)
			lostWithin(t, lease, 3*time.Second)
			if lasted := time.Since(begun); lasted < 790*time.Millisecond || lasted > 1600*time.Millisecond {
				t.Fatal(lasted)
			}
			eventually(t, "it is over for the service, too", func() bool { return d.isFree(key) })
		})
	}
}

func TestALeaseThatSomebodyElseReleasesIsLost(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	lease, err := d.client(t, d.tcp).Obtain(background, "a", TTL(600*time.Millisecond))
	must(t, err)
	d.ask("DELETE", "/leases/"+lease.ID())
	if e := lostWithin(t, lease, 3*time.Second); e.Reason != "released" {
		t.Fatal(e)
	}
}

func TestAProgramThatHolds(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--heartbeat", "100ms")
	url := "unix:" + d.socket
	t.Run("and is killed gives the lock back at once", func(t *testing.T) {
		t.Parallel()
		for _, keep := range []Keep{Process, Stream} {
			p := startProgram(t, "holder", url, "killed", keep)
			must(t, p.command.Process.Kill())
			if !happens(func() bool { return d.isFree("killed") }, 3*time.Second) {
				t.Fatal(keep)
			}
		}
	})
	stop := func(t *testing.T, p *program) {
		must(t, p.command.Process.Signal(syscall.SIGSTOP))
		time.Sleep(time.Second)
		must(t, p.command.Process.Signal(syscall.SIGCONT))
		eventually(t, "it looks", func() bool { return strings.Count(p.said.String(), "\n") >= 2 })
	}
	t.Run("and is stopped past its deadline sees the loss with its first look", func(t *testing.T) {
		t.Parallel()
		p := startProgram(t, "stopped past its deadline", url, "stopped", Auto)
		stop(t, p)
		if p.said.String() != "held\nfalse false\n" {
			t.Fatal(p.said.String())
		}
	})
	for _, keep := range []Keep{Process, Stream} {
		keep := keep
		t.Run("and is stopped for a while keeps what needs no deadline: "+string(keep), func(t *testing.T) {
			t.Parallel()
			p := startProgram(t, "stopped", url, "stopped "+string(keep), keep)
			time.Sleep(300 * time.Millisecond)
			stop(t, p)
			time.Sleep(500 * time.Millisecond)
			if p.said.String() != "held\ntrue true\n" || d.isFree("stopped "+string(keep)) {
				t.Fatal(p.said.String())
			}
		})
	}
}

func TestCanceledAtAnyMomentAnAcquireLeavesNothing(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	for keep, way := range ways(d) {
		c, key := d.client(t, way.url), string(keep)
		for index := 0; index < 150; index++ {
			ctx, cancel := context.WithTimeout(background, time.Duration(index%30)*50*time.Microsecond)
			lease, err := c.Obtain(ctx, key, way.options...)
			if err == nil {
				lease.Release()
			} else if err != context.DeadlineExceeded {
				t.Fatal(err)
			}
			cancel()
		}
		eventually(t, "nothing is left", func() bool { return d.isFree(key) })
	}
}
