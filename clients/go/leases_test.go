package leasehold

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var background = context.Background()

// ways are the three in which a lease is kept: where to ask, and how.
func ways(d *daemon) map[Keep]struct {
	url     string
	options []Option
} {
	return map[Keep]struct {
		url     string
		options []Option
	}{
		Process: {"unix:" + d.socket, nil},
		Stream:  {d.tcp, nil},
		Renewal: {d.tcp, []Option{TTL(2 * time.Second)}},
	}
}

func TestANoteIsShownAndItStaysTakenAsLongAsWasAskedFor(t *testing.T) {
	d := startDaemon(t)
	c := d.client(t, "unix:"+d.socket)
	holder := func(what string) any {
		holders, _ := d.ask("GET", "/locks/a")["holders"].([]any)
		if len(holders) != 1 {
			t.Fatal(holders)
		}
		return holders[0].(map[string]any)[what]
	}
	lease, err := c.Obtain(background, "a", Note("begins"), HoldAtLeast(time.Hour))
	must(t, err)
	if said := holder("note"); said != "begins" {
		t.Fatal(said)
	}
	must(t, lease.Note(background, "größer & mehr"))
	if said := holder("note"); said != "größer & mehr" {
		t.Fatal(said)
	}
	if !lease.Release() || holder("state") != "kept" {
		t.Fatal("it is not kept")
	}
	if _, err := c.Obtain(background, "a", Wait(0)); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	lost, err := c.Obtain(background, "b")
	must(t, err)
	d.breakLease(lost, "test")
	if err := lost.Note(background, "over"); !errors.Is(err, ErrLeaseLost) {
		t.Fatal(err)
	}
}

func TestEachWayOfKeeping(t *testing.T) {
	d := startDaemon(t, "--heartbeat", "200ms")
	for keep, way := range ways(d) {
		keep, way := keep, way
		with := func(more ...Option) []Option { return append(append([]Option(nil), way.options...), more...) }
		t.Run(string(keep), func(t *testing.T) {
			t.Parallel()
			c := d.client(t, way.url)
			key := func(name string) string { return string(keep) + " " + name }
			t.Run("is taken, known, and given back once", func(t *testing.T) {
				lease, err := c.Obtain(background, key("a"), with(Owner("me"))...)
				must(t, err)
				if lease.Keep != keep || lease.Mode != "exclusive" || lease.Owner != "me" || lease.Fence == 0 || !lease.Held() {
					t.Fatalf("%#v %+v", lease, lease.Keep)
				}
				if d.holder(key("a")) != lease.Ref {
					t.Fatal("the service says something else")
				}
				_, err = c.Obtain(background, key("a"), with(Wait(0))...)
				var e *Error
				if !errors.As(err, &e) || e.Kind != ErrLocked || !errors.Is(err, ErrLocked) || e.Holders[0].Owner != "me" {
					t.Fatal(err)
				}
				if !lease.Release() || lease.Release() || lease.Held() || lease.Err() != nil || lease.Context().Err() == nil {
					t.Fatal("not released as it should be")
				}
				if !d.isFree(key("a")) {
					t.Fatal("it is not free")
				}
			})
			t.Run("a break ends the context, with its reason", func(t *testing.T) {
				lease, err := c.Obtain(background, key("b"), way.options...)
				must(t, err)
				time.Sleep(100 * time.Millisecond)
				d.breakLease(lease, "host goes down")
				e := lostWithin(t, lease, 2*time.Second)
				if e.Reason != "broken" || (keep != Stream && e.BreakReason != "host goes down") || !errors.Is(e, ErrLeaseLost) {
					t.Fatalf("%+v", e)
				}
				if lease.Release() {
					t.Fatal("a lost lease was held until its release")
				}
			})
			t.Run("waits, and leaves the queue when it is canceled", func(t *testing.T) {
				first, err := c.Obtain(background, key("c"), way.options...)
				must(t, err)
				if _, err = c.Obtain(background, key("c"), with(Wait(50*time.Millisecond))...); !errors.Is(err, ErrWaitTimeout) {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(background)
				canceled, queued := make(chan error), make(chan *Lease)
				go func() {
					_, err := c.Obtain(ctx, key("c"), way.options...)
					canceled <- err
				}()
				eventually(t, "one waits", func() bool { return d.count(key("c"), "waiting") == 1 })
				go func() {
					lease, _ := c.Obtain(background, key("c"), way.options...)
					queued <- lease
				}()
				eventually(t, "both wait", func() bool { return d.count(key("c"), "waiting") == 2 })
				cancel()
				if err := <-canceled; err != context.Canceled {
					t.Fatal(err)
				}
				eventually(t, "one left", func() bool { return d.count(key("c"), "waiting") == 1 })
				first.Release()
				second := <-queued
				if second == nil || second.Fence <= first.Fence {
					t.Fatal("the second did not get it")
				}
				second.Release()
				eventually(t, "nothing is left", func() bool { return d.isFree(key("c")) })
			})
		})
	}
}

func TestADaemonThatIsKilledAndRestarted(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	leases := map[Keep]*Lease{}
	for keep, way := range ways(d) {
		options := way.options
		if keep == Stream {
			continue
		}
		if keep == Renewal {
			options = []Option{TTL(5 * time.Second)}
		}
		lease, err := d.client(t, way.url).Obtain(background, string(keep), options...)
		must(t, err)
		leases[keep] = lease
	}
	d.kill()
	time.Sleep(300 * time.Millisecond)
	d.start()
	time.Sleep(2 * time.Second)
	for _, keep := range []Keep{Process, Renewal} {
		if err := leases[keep].Err(); err != nil || d.holder(string(keep)) != leases[keep].Ref || !leases[keep].Release() {
			t.Fatal(keep, err)
		}
	}
}

func TestAStreamIsOpenedAgainWithinTheGraceOfARestart(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--recovery-grace", "20s")
	lease, err := d.client(t, "").Obtain(background, "stream", Kept(Stream))
	must(t, err)
	for i := 0; i < 2; i++ {
		d.kill()
		eventually(t, "it notices", func() bool { _, hasEnd := lease.Remaining(); return hasEnd })
		if left, _ := lease.Remaining(); !lease.Held() || left > 20*time.Second {
			t.Fatal(left, lease.Err())
		}
		d.start()
		eventually(t, "it is bound again", func() bool { _, hasEnd := lease.Remaining(); return !hasEnd })
	}
	d.breakLease(lease, "maintenance")
	if e := lostWithin(t, lease, 3*time.Second); e.Reason != "broken" || e.BreakReason != "maintenance" {
		t.Fatal(e)
	}
}

func TestAStreamWhoseServiceStaysAwayIsLostWithTheGrace(t *testing.T) {
	t.Parallel()
	for grace, most := range map[string]time.Duration{"0s": 500 * time.Millisecond, "1s": 2 * time.Second} {
		d := startDaemon(t, "--recovery-grace", grace)
		lease, err := d.client(t, "").Obtain(background, "stream", Kept(Stream))
		must(t, err)
		time.Sleep(500 * time.Millisecond)
		d.kill()
		if e := lostWithin(t, lease, most); e.Reason != "connection-closed" {
			t.Fatal(e)
		}
	}
}

func TestSlotsWithNames(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	names := []string{"gpu0", "gpu1", "gpu2"}
	one, err := c.Obtain(background, "gpus", SlotNames(names...), Slot("gpu1"))
	must(t, err)
	if one.Slot != "gpu1" || len(one.Slots) != 1 || one.Env()[0] != "LEASEHOLD_SLOT=gpu1" {
		t.Fatal(one.Slot, one.Slots)
	}
	if _, err := c.Obtain(background, "gpus", SlotNames(names...), Slot("gpu1"), Wait(0)); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	wants := []Want{{Key: "other"}, {Key: "gpus", Names: names, Slot: []string{"gpu0", "gpu2"}}}
	both, err := c.ObtainAll(background, wants)
	must(t, err)
	if len(both.Slots) != 2 || both.Slot != both.Slots[0] {
		t.Fatal(both.Slot, both.Slots)
	}
	plain, err := c.Obtain(background, "plain", Slots(2))
	must(t, err)
	if plain.Slot != "" || plain.Slots != nil {
		t.Fatal(plain.Slot, plain.Slots)
	}
	for _, option := range []Option{SlotNames("a,b"), Slot("")} {
		if _, err := c.Obtain(background, "none", option); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
}

func TestSharedSlotsAndSeveral(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	var all []*Lease
	for _, options := range [][]Option{{Shared()}, {Shared()}} {
		lease, err := c.Obtain(background, "readers", options...)
		must(t, err)
		all = append(all, lease)
	}
	if _, err := c.Obtain(background, "readers", Wait(0)); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	lease, err := c.Obtain(background, "slots", Slots(3), Count(2))
	must(t, err)
	if _, err := c.Obtain(background, "slots", Slots(3), Count(2), Wait(0)); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	all = append(all, lease)
	wants := []Want{{Key: "one"}, {Key: "two", Shared: true}, {Key: "slots", Slots: 3}}
	for url, keep := range map[string]Keep{"": Process, d.tcp: Renewal} {
		several, err := d.client(t, url).ObtainAll(background, wants)
		must(t, err)
		if several.Keep != keep || len(several.Keys) != 3 || d.count("one", "held") != 1 || !several.Release() {
			t.Fatal(several)
		}
	}
	for _, lease := range all {
		if !lease.Release() {
			t.Fatal(lease)
		}
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	c, err := NewClient(Config{URL: "unix:/nowhere"})
	must(t, err)
	for _, options := range [][]Option{
		{TTL(0)}, {TTL(-time.Second)}, {Wait(-1)}, {Shared(), Slots(3)}, {Slots(-1)}, {Kept("well")},
		{TTL(time.Second), Kept(Process)}, {MaxHold(time.Millisecond)},
	} {
		if _, err := c.Obtain(background, "a", options...); !errors.Is(err, ErrInvalid) {
			t.Fatal(err)
		}
	}
	if _, err := c.Obtain(background, ""); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if _, err := c.ObtainAll(background, nil); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if _, err := c.ObtainAll(background, []Want{{Key: "a"}, {Key: "b"}}, Kept(Stream)); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
	if _, err := NewClient(Config{URL: "redis://localhost"}); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestAServiceThatIsNotThereOrNotForUs(t *testing.T) {
	d := startDaemon(t)
	for _, url := range []string{"unix:/nowhere/socket", "http://127.0.0.1:1"} {
		begun := time.Now()
		_, err := d.client(t, url).Obtain(background, "a")
		if !errors.Is(err, ErrUnavailable) || time.Since(begun) > 2*time.Second {
			t.Fatal(err, time.Since(begun))
		}
	}
	if os.Getuid() != 0 {
		t.Skip("the rest needs root")
	}
	must(t, os.Chmod(d.socket, 0o600))
	must(t, os.Chmod(d.directory, 0o755))
	must(t, syscall.Setreuid(-1, 65534))
	defer syscall.Setreuid(-1, 0)
	_, err := d.client(t, "").Obtain(background, "a")
	if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "group root (mode 600)") {
		t.Fatal(err)
	}
}

func TestOverTLSWithAToken(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	authority, key, file := filepath.Join(folder, "ca"), filepath.Join(folder, "key"), filepath.Join(folder, "tokens")
	if err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
		"-nodes", "-keyout", key, "-out", authority, "-subj", "/CN=localhost",
		"-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1").Run(); err != nil {
		t.Skip("openssl:", err)
	}
	printed, err := exec.Command(os.Getenv("LEASEHOLD"), "token", "me", "--role", "lock").Output()
	must(t, err)
	token, line, _ := strings.Cut(string(printed), "\n")
	must(t, os.WriteFile(file, []byte(line), 0o600))
	must(t, os.Chmod(key, 0o600))
	d := startDaemon(t, "--tls-cert", authority, "--tls-key", key, "--token-file", file)
	url := strings.Replace(d.tcp, "http:", "https:", 1)
	for _, options := range [][]Option{nil, {TTL(5 * time.Second)}} {
		c := d.clientWith(t, Config{URL: url, Token: token, Authorities: authority})
		lease, err := c.Obtain(background, "a", options...)
		must(t, err)
		if !lease.Release() {
			t.Fatal(lease)
		}
	}
	_, err = d.clientWith(t, Config{URL: url, Authorities: authority}).Obtain(background, "a")
	if !errors.Is(err, ErrDenied) {
		t.Fatal(err)
	}
	var e *Error
	_, err = d.clientWith(t, Config{URL: url, Token: token}).Obtain(background, "a")
	if !errors.As(err, &e) || e.Kind != ErrUnavailable || e.Code != "insecure" {
		t.Fatal(err)
	}
}

func TestAWaitLongerThanTheServiceLetsOneRequestWait(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--max-wait", "150ms")
	c := d.client(t, "")
	lease, err := c.Obtain(background, "a")
	must(t, err)
	time.AfterFunc(500*time.Millisecond, func() { lease.Release() })
	second, err := c.Obtain(background, "a", Wait(5*time.Second))
	must(t, err)
	second.Release()
}

func TestDo(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	mine := errors.New("mine")
	must(t, c.Do(background, "a", func(ctx context.Context) error {
		if lease := FromContext(ctx); lease == nil || d.holder("a") != lease.Ref {
			return errors.New("no lease in the context")
		}
		return nil
	}))
	if err := c.Do(background, "a", func(context.Context) error { return mine }); err != mine || !d.isFree("a") {
		t.Fatal(err)
	}
	lose := func(result error) func(context.Context) error {
		return func(ctx context.Context) error {
			d.breakLease(FromContext(ctx), "test")
			<-ctx.Done()
			return result
		}
	}
	for _, test := range []struct {
		result, want error
		options      []Option
	}{
		{nil, ErrLeaseLost, nil}, {context.Canceled, ErrLeaseLost, nil}, {mine, mine, nil},
		{nil, nil, []Option{IgnoreLoss()}},
	} {
		if err := c.Do(background, "b", lose(test.result), test.options...); !errors.Is(err, test.want) {
			t.Fatal(test, err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_ = c.Do(background, "c", func(context.Context) error { panic("mine") })
	}()
	if !d.isFree("c") {
		t.Fatal("a panic left the lock")
	}
}

func TestWhoHoldsALockDoesNotTakeItAgain(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	begun := time.Now()
	must(t, c.Do(background, "a", func(ctx context.Context) error {
		for _, options := range [][]Option{nil, {Wait(0)}} {
			if _, err := c.Obtain(ctx, "a", options...); !errors.Is(err, ErrAlreadyHeld) {
				return fmt.Errorf("%v", err)
			}
		}
		return c.Do(ctx, "b", func(ctx context.Context) error {
			if _, err := c.Obtain(ctx, "a"); !errors.Is(err, ErrAlreadyHeld) {
				return fmt.Errorf("%v", err)
			}
			return nil
		})
	}))
	if time.Since(begun) > time.Second {
		t.Fatal("it was not told at once")
	}
	results := make(chan error)
	for _, pair := range [][2]string{{"x", "y"}, {"y", "x"}} {
		pair := pair
		go func() {
			results <- c.Do(background, pair[0], func(ctx context.Context) error {
				time.Sleep(50 * time.Millisecond)
				return c.Do(ctx, pair[1], func(context.Context) error { return nil }, Wait(5*time.Second))
			})
		}()
	}
	one, two := <-results, <-results
	if one == nil {
		one, two = two, one
	}
	if !errors.Is(one, ErrDeadlock) || two != nil {
		t.Fatal(one, two)
	}
}

func TestNothingShowsTheSecret(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	lease, err := d.client(t, "").Obtain(background, "a")
	must(t, err)
	defer lease.Release()
	if text := fmt.Sprintf("%v %+v %#v %s", lease, lease, lease, lease); strings.Contains(text, lease.ID()) {
		t.Fatal(text)
	}
	if env := lease.Env(); len(env) != 5 || env[0] != "LEASEHOLD_LEASE="+lease.ID() {
		t.Fatal(env)
	}
	if !strings.Contains(lease.Owner, "@") {
		t.Fatal(lease.Owner)
	}
}
