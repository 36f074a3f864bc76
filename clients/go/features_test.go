package leasehold

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func (d *daemon) holderOf(key, what string) any {
	holders, _ := d.ask("GET", "/locks/"+key)["holders"].([]any)
	if len(holders) != 1 {
		d.t.Fatal(holders)
	}
	return holders[0].(map[string]any)[what]
}

func TestAllIsSaidToTheService(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	lease, err := d.client(t, "unix:"+d.socket).Obtain(background, "a", SlotNames("x", "y"), Slot("y"),
		Cooldown(5*time.Second), Newest("web"), Owner("ann"), Note("begins"), HoldAtLeast(time.Millisecond))
	must(t, err)
	for what, wanted := range map[string]string{"slots": "[y]", "newest": "web", "owner": "ann", "note": "begins"} {
		if said := fmt.Sprint(d.holderOf("a", what)); said != wanted {
			t.Error(what, said)
		}
	}
	d.breakLease(lease, "test")
	eventually(t, "it cools down", func() bool { return d.count("a", "cooling") == 1 })
}

func TestALockGetsAnotherNumberOfSlots(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "unix:"+d.socket)
	_, err := c.Obtain(background, "a", Slots(1))
	must(t, err)
	must(t, c.Resize(background, "a", 0))
	if _, err := c.Obtain(background, "a", Slots(1), Wait(0)); !errors.Is(err, ErrLocked) {
		t.Fatal(err)
	}
	must(t, c.Resize(background, "a", 3, Pinned()))
	if lock := d.ask("GET", "/locks/a"); lock["limit"] != 3.0 || lock["pinned"] != true {
		t.Fatal(lock)
	}
	_, err = c.Obtain(background, "b", SlotNames("x", "y"))
	must(t, err)
	must(t, c.Resize(background, "b", 0, SlotNames("x", "y", "z")))
	if slots := fmt.Sprint(d.ask("GET", "/locks/b")["slots"]); slots != "[x y z]" {
		t.Fatal(slots)
	}
	if err := c.Resize(background, "a", -1); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestALockIsAddedToALivingLease(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--heartbeat", "200ms")
	for keep, way := range ways(d) {
		t.Run(string(keep), func(t *testing.T) {
			c := d.client(t, way.url)
			lease, err := c.Obtain(background, "a", way.options...)
			must(t, err)
			other, err := c.Obtain(background, "taken", way.options...)
			must(t, err)
			for range [2]int{} { // the second changes nothing
				must(t, lease.Add(background, Want{Key: "b"}, Want{Key: "c", Names: []string{"x", "y"}, Slot: []string{"y"}}))
			}
			locks := lease.Locks()
			if len(locks) != 3 || locks[0].Fence != lease.Fence || locks[1].Fence <= lease.Fence ||
				!reflect.DeepEqual(locks[2].Slots, []string{"y"}) {
				t.Fatal(locks)
			}
			if env := strings.Join(lease.Env(), ";"); !strings.Contains(env, "SLOT=y;") || !strings.Contains(env, "LOCK=a\nb\nc;") {
				t.Fatal(env)
			}
			if err := lease.Add(background, Want{Key: "taken"}); !errors.Is(err, ErrLocked) {
				t.Fatal(err)
			}
			if err := lease.Add(background, Want{Key: "sysv:0x5150.0"}); !errors.Is(err, ErrInvalid) || lease.Err() != nil {
				t.Fatal(err, lease.Err())
			}
			if err := lease.Add(background, Want{}); !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			if !lease.Release() {
				t.Fatal("it was not held")
			}
			eventually(t, "all are free", func() bool { return d.isFree("c") })
			d.breakLease(other, "test")
			if err := other.Add(background, Want{Key: "d"}); !errors.Is(err, ErrLeaseLost) {
				t.Fatal(err)
			}
		})
	}
}

func TestItStaysTakenUntilAnEarlyRelease(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "unix:"+d.socket)
	lease, err := c.Obtain(background, "a", HoldAtLeast(time.Hour))
	must(t, err)
	until := lease.KeptUntil()
	if until == "" || !lease.Release() || lease.Release() || d.holderOf("a", "state") != "kept" || lease.KeptUntil() != until {
		t.Fatal(until, lease.KeptUntil())
	}
	if lease.ReleaseEarly() || !d.isFree("a") || lease.KeptUntil() != "" {
		t.Fatal("it is not free")
	}
	lease, err = c.Obtain(background, "a", HoldAtLeast(time.Hour))
	must(t, err)
	if !lease.ReleaseEarly() || !d.isFree("a") {
		t.Fatal("it is not free")
	}
}

func TestANoteWithARenewal(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	lease, err := d.client(t, "unix:"+d.socket).Obtain(background, "a", TTL(time.Minute))
	must(t, err)
	must(t, lease.Renew(background, Note("step 2")))
	if said := d.holderOf("a", "note"); said != "step 2" {
		t.Fatal(said)
	}
}

func TestTheNewestOfAGroupIsWaitedForAndTheHolderIsAskedToYield(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--heartbeat", "200ms")
	for keep, way := range ways(d) {
		t.Run(string(keep), func(t *testing.T) {
			c := d.client(t, way.url)
			options := append([]Option{Newest("web")}, way.options...)
			lease, err := c.Obtain(background, "a", options...)
			must(t, err)
			obtain := func() chan error {
				done := make(chan error, 1)
				go func() {
					newer, err := c.Obtain(background, "a", options...)
					if err == nil {
						newer.Release()
					}
					done <- err
				}()
				return done
			}
			older := obtain()
			select {
			case <-lease.Yield():
			case <-time.After(20 * time.Second):
				t.Fatal("nobody asks")
			}
			newer := obtain()
			if err := <-older; !errors.Is(err, ErrSuperseded) {
				t.Fatal(err)
			}
			if lease.Err() != nil || lease.Context().Err() != nil || !lease.Release() {
				t.Fatal("it is not held on")
			}
			must(t, <-newer)
		})
	}
}

func TestItsProcessIsToBeStoppedBeforeItGoesOn(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	lease, err := d.client(t, "unix:"+d.socket).Obtain(background, "a", MaxHold(time.Hour), StopGrace(time.Second))
	must(t, err)
	defer lease.Release()
	if stop, grace := d.holderOf("a", "stop"), d.holderOf("a", "grace_ms"); stop != "term" || grace != 1000.0 {
		t.Fatal(stop, grace)
	}
}

func TestASetOfSemaphoresIsMade(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "unix:"+d.socket)
	lease, err := c.Obtain(background, "sysv:0x4c4157.0", Create(2))
	must(t, err)
	defer lease.Release()
	several, err := c.ObtainAll(background, []Want{{Key: "sysv:0x4c4158.0", Create: true}, {Key: "a"}})
	must(t, err)
	defer several.Release()
	for key, left := range map[string]string{"sysv:0x4c4157.0": "1", "sysv:0x4c4158.0": "0"} {
		if value := fmt.Sprint(d.ask("GET", "/locks/"+key)["sysv"].(map[string]any)["value"]); value != left {
			t.Error(key, value)
		}
	}
}

func TestItEndsWithTheCgroup(t *testing.T) {
	t.Parallel()
	text, _ := os.ReadFile("/proc/self/mountinfo")
	folder := ""
	for _, line := range strings.Split(string(text), "\n") {
		if strings.Contains(line, " - cgroup2 ") {
			folder, _ = os.MkdirTemp(strings.Fields(line)[4], "leasehold-")
		}
	}
	if folder == "" {
		t.Skip("no cgroup can be made here")
	}
	defer happens(func() bool { return os.Remove(folder) == nil }, 10*time.Second)
	d := startDaemon(t)
	enter := `echo $$ >"$0/cgroup.procs" && exec "$@"`
	startProgram(t, "hold", "unix:"+d.socket, "a", Cgroup, "sh", "-c", enter, folder)
	if d.count("a", "held") != 1 || d.holderOf("a", "bind") != "cgroup" {
		t.Fatal(d.ask("GET", "/locks/a"))
	}
	must(t, os.WriteFile(folder+"/cgroup.kill", []byte("1"), 0o600))
	eventually(t, "it is free", func() bool { return d.isFree("a") })
	if _, err := d.client(t, d.tcp).Obtain(background, "a", Kept(Cgroup)); !errors.Is(err, ErrInvalid) {
		t.Fatal(err)
	}
}

func TestWhatAServiceCannotDoIsAnError(t *testing.T) {
	t.Parallel()
	for code, status := range map[string]int{"unknown-parameter": 400, "not-supported": 501} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"code":%q,"detail":"words","parameter":"newest"}`, code)
		}))
		c, err := NewClient(Config{URL: server.URL})
		must(t, err)
		_, err = c.Obtain(background, "a", Newest("web"), TTL(time.Second))
		var e *Error
		if !errors.As(err, &e) || e.Code != code || e.Status != status || e.Detail != "words" ||
			errors.Is(err, ErrInvalid) != (status == 400) {
			t.Error(err)
		}
		server.Close()
	}
}

// through passes on what `answers` did not answer, and says where.
func (d *daemon) through(t *testing.T, answers func(http.ResponseWriter, *http.Request) bool) string {
	rest := &httputil.ReverseProxy{
		FlushInterval: -1, Transport: d.http.Transport,
		Director: func(r *http.Request) {
			r.URL.Scheme, r.URL.Host, r.Header["X-Forwarded-For"] = "http", "localhost", nil
		},
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers(w, r) {
			rest.ServeHTTP(w, r)
		}
	}))
	listener, err := net.Listen("unix", d.socket+"-through")
	must(t, err)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.CloseClientConnections)
	return "unix:" + d.socket + "-through"
}

func TestEventsOfAServiceThatAsksNobodyToYieldAreFollowed(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	asked := atomic.Int64{}
	url := d.through(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.RawQuery, "yield") {
			w.WriteHeader(400)
			return true
		}
		if r.URL.Path == "/events" {
			asked.Add(1)
		}
		return false
	})
	lease, err := d.client(t, url).Obtain(background, "a")
	must(t, err)
	eventually(t, "it asks again", func() bool { return asked.Load() > 0 })
	d.breakLease(lease, "test")
	lostWithin(t, lease, 10*time.Second)
}

func TestEventsThatMayNotBeFollowedAreNotAskedForAgainAndAgain(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	asked := atomic.Int64{}
	url := d.through(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/events" {
			return false
		}
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
		return true
	})
	lease, err := d.client(t, url).Obtain(background, "a")
	must(t, err)
	time.Sleep(2500 * time.Millisecond)
	if asked.Load() != 1 || !lease.Release() {
		t.Fatalf("the events were asked for %d times", asked.Load())
	}
}
