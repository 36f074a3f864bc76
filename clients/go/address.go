package leasehold

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	usualSocket = "/run/leasehold/leasehold.sock"
	usualPort   = "31818"
	usualURL    = "http://127.0.0.1:" + usualPort
)

var started = time.Now()

// monotonic is CLOCK_MONOTONIC, which the service of the same host decides by.
func monotonic() time.Duration { return time.Since(started) }

// address is where a service is.
type address struct {
	text   string
	socket string // of a Unix socket
	base   string // of all targets
}

// ownSocket is the socket of this user's own service, where one takes connections and nobody else can put another.
func ownSocket() (string, bool) {
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	folder := "/tmp/leasehold-" + strconv.Itoa(os.Geteuid())
	if len(runtime)+len("/leasehold/leasehold.sock") < 107 && isOwn(runtime) {
		folder = runtime + "/leasehold"
	}
	path := folder + "/leasehold.sock"
	if !isOwn(folder) || !isSocket(path) {
		return "", false
	}
	connection, err := net.DialTimeout("unix", path, 2*time.Second)
	if err != nil {
		return "", false
	}
	connection.Close()
	return path, true
}

// isOwn reports whether a folder is this user's and closed to others.
func isOwn(folder string) bool {
	info, err := os.Lstat(folder)
	if err != nil || !strings.HasPrefix(folder, "/") || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return false
	}
	owner, isUnix := info.Sys().(*syscall.Stat_t)
	return isUnix && int(owner.Uid) == os.Geteuid()
}

func isSocket(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// addressOf reads an address: what is said, else LEASEHOLD_URL, else the system's socket, else the user's own, else TCP
// (rule 1).
func addressOf(text string) (address, error) {
	if text == "" {
		text = os.Getenv("LEASEHOLD_URL")
	}
	if text == "" {
		text = usualURL
		if isSocket(usualSocket) {
			text = "unix:" + usualSocket
		} else if path, isThere := ownSocket(); isThere {
			text = "unix:" + path
		}
	}
	if strings.HasPrefix(text, "unix:/") {
		return address{text: text, socket: text[len("unix:"):], base: "http://localhost"}, nil
	}
	parsed, err := url.Parse(text)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" {
		return address{}, invalid("'%s' is no address; give something like unix:%s, %s or https://HOST:31818",
			text, usualSocket, usualURL)
	}
	host := parsed.Host
	if parsed.Port() == "" {
		host += ":" + usualPort
	}
	return address{text: text, base: parsed.Scheme + "://" + host}, nil
}

// clock is the clock for deadlines of leases that are reached this way (rule 22).
func (a address) clock() func() time.Duration {
	if a.socket != "" {
		return monotonic
	}
	return bootTime
}

// refusal says why a socket refused, and who would be let in (rule 2).
func (a address) refusal() string {
	text := "permission denied on " + a.text
	info, err := os.Stat(a.socket)
	if err != nil {
		return text
	}
	owner, isUnix := info.Sys().(*syscall.Stat_t)
	if !isUnix {
		return text
	}
	id := strconv.Itoa(int(owner.Gid))
	name := "with the number " + id
	if group, err := user.LookupGroupId(id); err == nil {
		name = group.Name
	}
	return fmt.Sprintf("%s: it is for the group %s (mode %o); join it", text, name, info.Mode().Perm())
}
