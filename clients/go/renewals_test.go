package leasehold

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// renewals counts how often the service was asked for one, and for several at once.
func (d *daemon) renewals(t *testing.T) (alone, together int) {
	response, err := d.http.Get("http://localhost/metrics")
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	of := func(name string) (sum int) {
		pattern := regexp.MustCompile(`(?m)^leasehold_http_requests_total.*"` + name + `".* (\d+)$`)
		for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
			number, _ := strconv.Atoi(found[1])
			sum += number
		}
		return sum
	}
	return of("renewLease"), of("renewLeases")
}

func TestSeveralAreRenewedInOneRequest(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	var leases []*Lease
	for number := 0; number < 5; number++ {
		lease, err := c.Obtain(background, fmt.Sprint("several ", number), TTL(1200*time.Millisecond))
		must(t, err)
		leases = append(leases, lease)
	}
	time.Sleep(600 * time.Millisecond)
	d.breakLease(leases[4], "test")
	time.Sleep(1400 * time.Millisecond)
	if alone, together := d.renewals(t); alone > 1 || together < 2 || together > 6 {
		t.Fatal(alone, "alone,", together, "together")
	}
	if e := lostWithin(t, leases[4], time.Second); e.Reason != "broken" || e.BreakReason != "test" {
		t.Fatal(e)
	}
	for _, lease := range leases[:4] {
		if !lease.Release() {
			t.Fatal(lease.Err())
		}
	}
}

func TestSeveralAreRenewedOneByOneWhereThatIsUnknown(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	c := d.client(t, "")
	c.renewals.isUnknown = true
	var leases []*Lease
	for number := 0; number < 3; number++ {
		lease, err := c.Obtain(background, fmt.Sprint("several ", number), TTL(900*time.Millisecond))
		must(t, err)
		leases = append(leases, lease)
	}
	time.Sleep(1500 * time.Millisecond)
	if alone, together := d.renewals(t); alone < 6 || together != 0 {
		t.Fatal(alone, "alone,", together, "together")
	}
	for _, lease := range leases {
		if !lease.Release() {
			t.Fatal(lease.Err())
		}
	}
}
