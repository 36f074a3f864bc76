package leasehold

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheUsersOwnServiceIsFoundWhereNobodyElseCanPutAnother(t *testing.T) {
	if isSocket(usualSocket) {
		t.Skip("a service of the system is here")
	}
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	t.Setenv("LEASEHOLD_URL", "")
	must(t, os.Chmod(runtime, 0o700))
	folder := filepath.Join(runtime, "leasehold")
	must(t, os.Mkdir(folder, 0o700))
	found := func() string {
		where, err := addressOf("")
		must(t, err)
		return where.text
	}
	path := filepath.Join(folder, "leasehold.sock")
	if found() == "unix:"+path {
		t.Fatal("there is none yet")
	}
	listener, err := net.Listen("unix", path)
	must(t, err)
	defer listener.Close()
	if found() != "unix:"+path {
		t.Fatal(found())
	}
	for _, openToOthers := range []string{folder, runtime} {
		must(t, os.Chmod(openToOthers, 0o755))
		if found() == "unix:"+path {
			t.Fatal("others could have put it there")
		}
		must(t, os.Chmod(openToOthers, 0o700))
	}
}

func TestAPortThatIsNotSaidIsTheServices(t *testing.T) {
	for text, base := range map[string]string{
		"http://h": "http://h:31818", "https://h": "https://h:31818", "http://[::1]": "http://[::1]:31818",
		"http://h:80": "http://h:80",
	} {
		where, err := addressOf(text)
		must(t, err)
		if where.base != base {
			t.Fatal(text, where.base)
		}
	}
}

func TestALeaseAboveThatIsOverOrOfAnotherServiceIsNotNamedAgain(t *testing.T) {
	d := startDaemon(t)
	c := d.client(t, "")
	ended, err := c.Obtain(background, "above")
	must(t, err)
	ended.Release()
	t.Setenv("LEASEHOLD_HOLDING", strings.Repeat("0", 32)+","+ended.ID())
	for _, keep := range []Keep{Process, Stream} {
		first, err := c.Obtain(background, "a", Kept(Process))
		must(t, err)
		go func() {
			eventually(t, "it waits", func() bool { return d.count("a", "waiting") == 1 })
			first.Release()
		}()
		second, err := c.Obtain(background, "a", Kept(keep), Wait(9*time.Second))
		must(t, err)
		second.Release()
	}
}

func TestWhatAnOperatorEndsIsHeldUntilThenAndRenewedNoMore(t *testing.T) {
	t.Parallel()
	d := startDaemon(t, "--heartbeat", "100ms")
	for keep, options := range map[Keep][]Option{Renewal: {TTL(600 * time.Millisecond)}, Stream: {Kept(Stream)}} {
		lease, err := d.client(t, "").Obtain(background, string(keep), options...)
		must(t, err)
		begun := time.Now()
		d.ask("POST", "/leases/"+lease.Ref+"/break?reason=goes&after=500ms")
		e := lostWithin(t, lease, 3*time.Second)
		if took := time.Since(begun); took < 350*time.Millisecond || e.Reason != "broken" || e.BreakReason != "goes" {
			t.Fatal(keep, took, e)
		}
	}
}

func TestAWaitBehindAProxyThatWentSilentIsGivenUp(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	first, err := d.client(t, "").Obtain(background, "a")
	must(t, err)
	defer first.Release()
	for _, keep := range []Keep{Process, Stream} {
		p := proxyBefore(t, d)
		c := d.clientWith(t, Config{URL: p.url, Timeout: 300 * time.Millisecond})
		c.askAgain = 200 * time.Millisecond
		failed := make(chan error, 1)
		go func() {
			_, err := c.Obtain(background, "a", Kept(keep))
			failed <- err
		}()
		eventually(t, "it waits", func() bool { return d.count("a", "waiting") == 1 })
		// A connection that is there already goes on to wait; on another one nobody answers.
		p.set(func() *fault { return &fault{isSilence: true} })
		select {
		case err := <-failed:
			if !errors.Is(err, ErrUnavailable) {
				t.Fatal(keep, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatal(keep, "it waits on and on")
		}
		p.set(nil)
		eventually(t, "its place is given up", func() bool { return d.count("a", "waiting") == 0 })
	}
}
