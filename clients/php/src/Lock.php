<?php

declare(strict_types=1);

namespace Leasehold;

use Leasehold\Exception\{LeaseholdException, LeaseLost, Locked};
use Leasehold\Internal\{Acquisition, Seconds, Want};

/** Takes locks: `Lock::with('deploy', fn (Lease $lease) => deploy($lease->fence), wait: 10)`. */
final class Lock
{
    /**
     * Takes a lock, calls the body with the lease, and gives the lock back however the body ends.
     *
     * @template T
     * @param string|list<string|array<string, mixed>> $key
     * @param callable(Lease): T $body
     * @param bool $ignoreLoss whether the body's result counts although the lease was lost before its end; what the
     *     body throws always leaves as it is
     * @param mixed ...$how what `acquire` takes, by name
     * @return T
     * @throws Locked when others have it until the wait is over
     * @throws LeaseLost when the lease was lost before the body ended
     * @throws LeaseholdException
     */
    public static function with(string|array $key, callable $body, bool $ignoreLoss = false, mixed ...$how): mixed
    {
        $lease = self::acquire($key, ...$how);
        $isGivenBack = false;
        try {
            try {
                $result = $body($lease);
            } finally {
                $lease->release();
                $isGivenBack = true;
            }
        } finally {
            // The handler of a signal may have thrown between the body and the release.
            if (!$isGivenBack) {
                $lease->release();
            }
        }
        if (!$ignoreLoss && ($lost = $lease->lost()) !== null) {
            throw $lost;
        }
        return $result;
    }

    /**
     * Takes a lock.
     *
     * The lease is not released when its object is forgotten: call `release`, or use `with`.
     *
     * @param string|list<string|array<string, mixed>> $key a name; or several, all or none: names, or what a member of
     *     `want` says in `POST /leases`, such as `['key' => 'b', 'mode' => 'shared']`
     * @param float|null $wait how long to wait in the queue, in seconds: 0 tries once, null waits without end
     * @param bool $shared whether others who share may hold it too
     * @param int|list<string>|null $slots makes it a counting lock of so many slots, or of slots with these names
     * @param int $count how many slots to take, all or none
     * @param float|null $ttl how long it lasts unless it is renewed, in seconds; null for no deadline
     * @param float|null $maxHold how long it may last at most, in seconds
     * @param float|null $holdAtLeast how long it stays taken from the grant on even when it is given back earlier, in
     *     seconds
     * @param float|null $cooldown how long it stays taken after the lease was lost, in seconds
     * @param float|null $stopGrace has this process stopped before the lock goes on, at the end of `maxHold` or when an
     *     operator ends the lease: it gets TERM, and KILL so many seconds later
     * @param string|null $newest a group of which this request is the newest: older ones end with `Superseded`, and a
     *     holder of the group is asked to yield
     * @param string|null $note what the holder says of itself, shown to everybody who asks who has it
     * @param string|list<string>|null $slot the names of slots to take
     * @param bool $create whether to make the set of a name like `sysv:0x51.0` where there is none
     * @param int|null $value with `create`, that of each semaphore; null for 1
     * @param string|null $owner shown to everybody who asks who has it; null for `USER@HOST PROGRAM`
     * @throws Locked when others have it until the wait is over
     * @throws LeaseholdException
     */
    public static function acquire(
        string|array $key,
        ?float $wait = null,
        bool $shared = false,
        int|array|null $slots = null,
        int $count = 1,
        ?float $ttl = null,
        ?float $maxHold = null,
        ?string $owner = null,
        Keep $keep = Keep::Auto,
        ?Client $client = null,
        ?float $holdAtLeast = null,
        ?string $note = null,
        string|array|null $slot = null,
        ?float $cooldown = null,
        ?string $newest = null,
        bool $create = false,
        ?int $value = null,
        ?float $stopGrace = null,
    ): Lease {
        $said = ['hold_at_least' => Seconds::said('holdAtLeast', $holdAtLeast),
            'cooldown' => Seconds::said('cooldown', $cooldown), 'newest' => $newest, 'note' => $note,
            'stop' => $stopGrace === null ? null : 'term', 'grace' => Seconds::said('stopGrace', $stopGrace)];
        $want = new Want($key, $shared, $slots, $count, $slot, $create, $value);
        return (new Acquisition($client ?? Client::default(), $want, $wait, $ttl, $maxHold, $owner, $keep,
            said: $said))->run();
    }
}
