// Uses the client that openapi-generator makes for Go: generator_go URL.
package main

import (
	"context"
	"errors"
	"log"
	"os"

	leasehold "example.org/leasehold"
)

// The problem of an answer that must have this status.
func refused[Model any](status int, err error) Model {
	var failure *leasehold.GenericOpenAPIError
	if !errors.As(err, &failure) {
		log.Fatalf("was not refused with %d: %v", status, err)
	}
	problem, isModel := failure.Model().(Model)
	if !isModel {
		log.Fatalf("%d is %T (%v): %s", status, failure.Model(), err, failure.Body())
	}
	return problem
}

func must(err error) {
	if err != nil {
		var failure *leasehold.GenericOpenAPIError
		if errors.As(err, &failure) {
			log.Fatalf("%v: %s", err, failure.Body())
		}
		log.Fatal(err)
	}
}

func check(right bool, what string, seen any) {
	if !right {
		log.Fatalf("%s: %+v", what, seen)
	}
}

func main() {
	configuration := leasehold.NewConfiguration()
	configuration.Servers = leasehold.ServerConfigurations{{URL: os.Args[1]}}
	client, ctx := leasehold.NewAPIClient(configuration), context.Background()
	locks, leases := client.LocksAPI, client.LeasesAPI

	lease, _, err := locks.AcquireLock(ctx, "deploy-web").Ttl("30s").Owner("a generated client").Execute()
	must(err)
	check(lease.Key == "deploy-web" && lease.TtlMs == 30_000 && lease.Fence > 1<<40, "the lease", lease)

	_, _, err = locks.AcquireLock(ctx, "deploy-web").Wait("10ms").Execute()
	locked := refused[leasehold.LockedProblem](423, err)
	check(locked.Code == leasehold.WAIT_TIMEOUT && locked.Holders[0].Ref == lease.Ref, "who holds it", locked)
	lock, _, err := locks.GetLock(ctx, "deploy-web").Execute()
	must(err)
	check(lock.Holders[0].GetOwner() == "a generated client", "the lock", lock)

	renewed, _, err := locks.RenewLock(ctx, "deploy-web").Lease(lease.Lease).Ttl("1m").Execute()
	must(err)
	check(renewed.TtlMs == 60_000 && renewed.Fence == lease.Fence, "the renewed lease", renewed)
	released, _, err := leases.ReleaseLease(ctx, lease.Lease).Execute()
	must(err)
	check(released.Released && !released.Already, "the release", released)
	_, _, err = leases.RenewLease(ctx, lease.Lease).Execute()
	gone := refused[leasehold.GoneProblem](410, err)
	check(gone.Code == leasehold.RELEASED, "the end", gone)

	body := leasehold.NewAcquireBody()
	slots := int32(5)
	body.SetLimit(leasehold.LimitValue{Int32: &slots})
	slot, _, err := locks.AcquireLock(ctx, "workers").AcquireBody(*body).Execute()
	must(err)
	check(slot.GetLimit() == 5, "the slot", slot)
	wants := []leasehold.Want{*leasehold.NewWant("accounts"), *leasehold.NewWant("prices")}
	wants[1].SetMode(leasehold.SHARED)
	several := leasehold.NewAcquireLocksBody()
	several.SetWant(leasehold.AcquireLocksBodyWant{ArrayOfWant: &wants})
	both, _, err := leases.AcquireLocks(ctx).AcquireLocksBody(*several).Execute()
	must(err)
	check(len(both.Locks) == 2 && both.Locks[1].Key == "prices", "several", both)
	_, _, err = leases.ReleaseLease(ctx, both.Lease).Execute()
	must(err)
	_, _, err = locks.GetLock(ctx, "no-such-lock").Execute()
	check(refused[leasehold.Problem](404, err).Code == leasehold.NO_SUCH_LOCK, "404", err)
}
