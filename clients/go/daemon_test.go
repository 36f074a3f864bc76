package leasehold

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var daemons atomic.Int64

// daemon is a service of our own, in the IPC namespace that `test` made.
type daemon struct {
	t         testing.TB
	directory string
	socket    string
	tcp       string
	arguments []string
	process   *exec.Cmd
	http      http.Client
}

func startDaemon(t testing.TB, more ...string) *daemon {
	t.Helper()
	program := os.Getenv("LEASEHOLD")
	if program == "" {
		t.Fatal("say with LEASEHOLD=PATH which program to test")
	}
	directory, err := os.MkdirTemp("", "leasehold-")
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	d := &daemon{t: t, directory: directory, socket: filepath.Join(directory, "socket"), tcp: "http://127.0.0.1:" + port}
	control := 0x4c480000 + (os.Getpid()*64+int(daemons.Add(1)))&0xffff
	d.arguments = append([]string{
		program, "serve", "--host", "127.0.0.1", "--port", port, "--unix", d.socket,
		"--control-key", fmt.Sprintf("0x%x", control),
	}, more...)
	d.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.socket)
	}}
	d.start()
	t.Cleanup(func() {
		d.kill()
		os.RemoveAll(directory)
	})
	return d
}

func (d *daemon) start() {
	d.process = exec.Command(d.arguments[0], d.arguments[1:]...)
	log, err := os.OpenFile(filepath.Join(d.directory, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(d.t, err)
	defer log.Close()
	d.process.Stdout, d.process.Stderr = log, log
	must(d.t, d.process.Start())
	eventually(d.t, "the daemon serves", func() bool {
		response, err := d.http.Get("http://localhost/readyz")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == 200
	})
}

// kill is kill -9.
func (d *daemon) kill() {
	d.process.Process.Kill()
	d.process.Wait()
}

func (d *daemon) client(t testing.TB, url string) *Client {
	return d.clientWith(t, Config{URL: url})
}

func (d *daemon) clientWith(t testing.TB, config Config) *Client {
	t.Helper()
	if config.URL == "" {
		config.URL = "unix:" + d.socket
	}
	client, err := NewClient(config)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func (d *daemon) ask(method, target string) map[string]any {
	request, err := http.NewRequest(method, "http://localhost"+target, nil)
	must(d.t, err)
	response, err := d.http.Do(request)
	if err != nil {
		return nil
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	var said map[string]any
	json.Unmarshal(text, &said)
	return said
}

func (d *daemon) count(key, what string) int {
	number, _ := d.ask("GET", "/locks/"+url.PathEscape(key))[what].(float64)
	return int(number)
}

func (d *daemon) isFree(key string) bool {
	said := d.ask("GET", "/locks/"+url.PathEscape(key))
	return said != nil && (said["code"] == "no-such-lock" || said["held"] == 0.0 && said["waiting"] == 0.0)
}

func (d *daemon) holder(key string) string {
	holders, _ := d.ask("GET", "/locks/"+url.PathEscape(key))["holders"].([]any)
	if len(holders) == 0 {
		return ""
	}
	ref, _ := holders[0].(map[string]any)["ref"].(string)
	return ref
}

func (d *daemon) breakLease(l *Lease, reason string) {
	d.ask("POST", "/leases/"+l.Ref+"/break?reason="+url.QueryEscape(reason))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !happens(condition, 10*time.Second) {
		t.Fatalf("did not happen within 10 s: %s", what)
	}
}

func happens(condition func() bool, within time.Duration) bool {
	end := time.Now().Add(within)
	for !condition() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(3 * time.Millisecond)
	}
	return true
}

func lostWithin(t testing.TB, l *Lease, most time.Duration) *Error {
	t.Helper()
	select {
	case <-l.Context().Done():
	case <-time.After(most):
		t.Fatalf("%v is not lost within %v", l, most)
	}
	e, _ := l.Err().(*Error)
	if e == nil {
		t.Fatalf("%v ended without a loss", l)
	}
	return e
}

// fault stops a connection after so many bytes of one side, and closes it, or leaves it open.
type fault struct {
	ofRequest bool
	after     int
	isSilence bool
}

// proxy stands between a client and a daemon.
type proxy struct {
	url      string
	listener net.Listener
	mutex    sync.Mutex
	plan     func() *fault
	open     map[net.Conn]bool
}

func proxyBefore(t testing.TB, d *daemon) *proxy {
	t.Helper()
	path := filepath.Join(d.directory, fmt.Sprintf("proxy-%d", daemons.Add(1)))
	listener, err := net.Listen("unix", path)
	must(t, err)
	p := &proxy{url: "unix:" + path, listener: listener, open: map[net.Conn]bool{}}
	p.set(nil)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client, d.socket)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		p.cut()
	})
	return p
}

// set says which fault each connection has from now on.
func (p *proxy) set(plan func() *fault) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.plan = plan
}

// once gives the next connections, and no others, a fault.
func (p *proxy) once(number int, f fault) {
	p.set(func() *fault {
		number--
		if number < 0 {
			return nil
		}
		return &f
	})
}

// cut closes every connection now.
func (p *proxy) cut() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for connection := range p.open {
		connection.Close()
	}
}

func (p *proxy) serve(client net.Conn, socket string) {
	service, err := net.Dial("unix", socket)
	if err != nil {
		client.Close()
		return
	}
	p.mutex.Lock()
	var f *fault
	if p.plan != nil {
		f = p.plan()
	}
	p.open[client], p.open[service] = true, true
	p.mutex.Unlock()
	var both sync.WaitGroup
	both.Add(2)
	pass := func(to, from net.Conn, isRequest bool) {
		defer both.Done()
		if f == nil || f.ofRequest != isRequest {
			io.Copy(to, from)
		} else if io.CopyN(to, from, int64(f.after)); f.isSilence {
			io.Copy(io.Discard, from)
		}
		client.Close()
		service.Close()
	}
	go pass(client, service, false)
	go pass(service, client, true)
	both.Wait()
	p.mutex.Lock()
	delete(p.open, client)
	delete(p.open, service)
	p.mutex.Unlock()
}

// program is this test binary in another role; see TestMain.
type program struct {
	command *exec.Cmd
	said    syncBuffer
}

type syncBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(text []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(text)
}

func (b *syncBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

func startProgram(t testing.TB, role, url, key string, keep Keep, prefix ...string) *program {
	t.Helper()
	words := append(prefix, os.Args[0])
	p := &program{command: exec.Command(words[0], words[1:]...)}
	p.command.Env = append(os.Environ(),
		"TEST_ROLE="+role, "LEASEHOLD_URL="+url, "TEST_KEY="+key, "TEST_KEEP="+string(keep))
	p.command.Stdout, p.command.Stderr = &p.said, os.Stderr
	must(t, p.command.Start())
	t.Cleanup(func() {
		p.command.Process.Kill()
		p.command.Wait()
	})
	eventually(t, "the program holds", func() bool { return strings.HasPrefix(p.said.String(), "held") })
	return p
}

// TestMain runs the tests, or is one of the programs that they start.
func TestMain(m *testing.M) {
	role := os.Getenv("TEST_ROLE")
	if role == "" {
		os.Exit(m.Run())
	}
	options := []Option{Kept(Keep(os.Getenv("TEST_KEEP")))}
	if role == "stopped past its deadline" {
		options = []Option{TTL(500 * time.Millisecond)}
	}
	lease, err := Obtain(context.Background(), os.Getenv("TEST_KEY"), options...)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	last := time.Now() // it may be stopped from the next line on
	fmt.Println("held")
	for {
		time.Sleep(2 * time.Millisecond)
		now := time.Now() // once: a stop between two looks would not be seen
		gap := now.Sub(last)
		last = now
		if gap > 700*time.Millisecond {
			fmt.Println(lease.Err() == nil, lease.Context().Err() == nil)
			if role == "stopped past its deadline" {
				os.Exit(0)
			}
		}
	}
}
