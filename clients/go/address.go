package leasehold

import (
	"fmt"
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
	usualURL    = "http://127.0.0.1:31818"
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

// addressOf reads an address: what is said, else LEASEHOLD_URL, else the socket if it is there, else TCP (rule 1).
func addressOf(text string) (address, error) {
	if text == "" {
		text = os.Getenv("LEASEHOLD_URL")
	}
	if text == "" {
		text = usualURL
		if _, err := os.Stat(usualSocket); err == nil {
			text = "unix:" + usualSocket
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
	return address{text: text, base: parsed.Scheme + "://" + parsed.Host}, nil
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
