<?php

declare(strict_types=1);

namespace Leasehold\Internal;

/** The monotonic clock of this process, in nanoseconds; no step of the wall clock moves it. */
final class Clock
{
    public static function now(): int
    {
        return hrtime(true);
    }

    public static function in(float $seconds): int
    {
        return self::now() + self::nanoseconds($seconds);
    }

    public static function nanoseconds(float $seconds): int
    {
        return (int) ($seconds * 1e9);
    }

    /** Sleeps, but not beyond a reading of this clock. */
    public static function pause(float $seconds, int $until): void
    {
        usleep((int) (max(0, min(self::nanoseconds($seconds), $until - self::now())) / 1000));
    }
}
