package leasehold_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	leasehold "leasehold.invalid/leasehold/clients/go"
)

func ExampleObtain() {
	ctx := context.Background()
	lease, err := leasehold.Obtain(ctx, "deploy", leasehold.Wait(10*time.Second))
	var held *leasehold.Error
	if errors.As(err, &held) && held.Kind == leasehold.ErrWaitTimeout {
		fmt.Println("still held by", held.Holders[0].Owner)
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lease.Release()
	// The command is killed when the lease is lost.
	command := exec.CommandContext(lease.Context(), "./deploy.sh")
	command.Env = append(os.Environ(), lease.Env()...)
	fmt.Println(command.Run())
}

func ExampleDo() {
	err := leasehold.Do(context.Background(), "nightly", func(ctx context.Context) error {
		fmt.Println("fence", leasehold.FromContext(ctx).Fence)
		return nil
	}, leasehold.Wait(0))
	fmt.Println(err)
}

func ExampleObtainAll() {
	lease, err := leasehold.ObtainAll(context.Background(), []leasehold.Want{
		{Key: "accounts"}, {Key: "ledger", Shared: true}, {Key: "workers", Slots: 5},
	})
	if err == nil {
		lease.Release()
	}
}
