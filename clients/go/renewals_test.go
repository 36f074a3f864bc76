package leasehold

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"testing"
	"time"
)

// renewals counts how often the service was asked for one, and for several at once, and how many it renewed.
func (d *daemon) renewals(t *testing.T) (alone, together, renewed int) {
	response, err := d.http.Get("http://localhost/metrics")
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	of := func(name string) (sum int) {
		pattern := regexp.MustCompile(`(?m)^leasehold_` + name + `.* (\d+)$`)
		for _, found := range pattern.FindAllStringSubmatch(string(text), -1) {
			number, _ := strconv.Atoi(found[1])
			sum += number
		}
		return sum
	}
	return of(`http_requests_total.*"renewLease"`), of(`http_requests_total.*"renewLeases"`), of("renewals_total")
}

// renewalsUntil counts until it is enough, however slow the machine is.
func (d *daemon) renewalsUntil(t *testing.T, enough func(alone, together int) bool) (alone, together, renewed int) {
	for patience := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		alone, together, renewed = d.renewals(t)
		if enough(alone, together) || time.Now().After(patience) {
			return alone, together, renewed
		}
	}
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
	alone, together, renewed := d.renewalsUntil(t, func(_, together int) bool { return together >= 3 })
	if together < 3 || renewed < 2*(alone+together) {
		t.Fatal(alone, "alone,", together, "together,", renewed, "renewed")
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
	alone, together, _ := d.renewalsUntil(t, func(alone, _ int) bool { return alone >= 6 })
	if alone < 6 || together != 0 {
		t.Fatal(alone, "alone,", together, "together")
	}
	for _, lease := range leases {
		if !lease.Release() {
			t.Fatal(lease.Err())
		}
	}
}
