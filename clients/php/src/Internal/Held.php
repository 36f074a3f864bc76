<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\LeaseholdException;
use Leasehold\Lease;

/**
 * The leases that this process has.
 *
 * They are kept here, so that one whose object is forgotten lasts as long as its binding; and so that an acquire can
 * name them: a wait for what this program holds would never end.
 */
final class Held
{
    /** As many as the service reads. */
    private const MOST = 32;
    /** @var array<string, array<string, Lease>> by address of the service, and id */
    private static array $leases = [];
    /** @var array<string, true> addresses whose service does not know the leases of LEASEHOLD_HOLDING */
    private static array $elsewhere = [];

    public static function add(Address $address, string $id, Lease $lease): void
    {
        self::$leases["$address"][$id] = $lease;
    }

    public static function remove(Address $address, string $id): void
    {
        unset(self::$leases["$address"][$id]);
    }

    /**
     * The ids of this program's leases, and of those of `leasehold run` above it: those on wanted locks first, then the
     * last ones.
     *
     * @param list<string> $wanted
     * @return list<string>
     */
    public static function ids(Address $address, array $wanted = []): array
    {
        $own = array_filter(self::$leases["$address"] ?? [], static fn (Lease $lease): bool => $lease->isHeld());
        $own = array_reverse(array_values($own));
        $isWanted = static fn (Lease $lease): bool => array_intersect($lease->keys, $wanted) !== [];
        usort($own, static fn (Lease $one, Lease $other): int => $isWanted($other) <=> $isWanted($one));
        $ids = array_map(static fn (Lease $lease): string => $lease->id(), $own);
        return array_slice(array_values(array_unique([...$ids, ...self::above($address)])), 0, self::MOST);
    }

    /** @return list<Lease> those of this program that it may hold, the oldest first */
    public static function leases(Address $address): array
    {
        return array_values(self::$leases["$address"] ?? []);
    }

    /** @return list<string> their refs, as listings show them */
    public static function refs(Address $address): array
    {
        return array_map(static fn (string $id): string => substr($id, 0, 10), self::ids($address));
    }

    /**
     * One of them is over, or the service does not know it: looks which are lost.
     *
     * If none is, those of LEASEHOLD_HOLDING are of another service. Tells whether there are fewer now.
     */
    public static function review(Address $address): bool
    {
        $before = self::ids($address);
        foreach (self::$leases["$address"] ?? [] as $lease) {
            try {
                $lease->check(renew: false);
            } catch (LeaseholdException) {
                // Its state tells.
            }
        }
        if (self::ids($address) === $before) {
            self::$elsewhere["$address"] = true;
        }
        return count(self::ids($address)) < count($before);
    }

    /** @return list<string> */
    private static function above(Address $address): array
    {
        $ids = isset(self::$elsewhere["$address"]) ? [] : explode(',', getenv('LEASEHOLD_HOLDING') ?: '');
        $isId = static fn (string $id): bool => preg_match('/^[0-9a-f]{32}$/', $id) === 1;
        return array_values(array_filter($ids, $isId));
    }
}
