<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\Invalid;

/** Times of callers, in seconds, and of the service, in words of its own. */
final class Seconds
{
    /** A time that may be none at all. */
    public static function check(string $name, ?float $seconds): ?float
    {
        if ($seconds !== null && !($seconds >= 0 && $seconds < 1e9)) {
            throw new Invalid("'$name' is a time in seconds, not less than none.");
        }
        return $seconds;
    }

    /** A time that is none is a mistake here: who wants no deadline leaves it out. */
    public static function checkPositive(string $name, ?float $seconds): ?float
    {
        if ($seconds !== null && self::check($name, $seconds) < 0.001) {
            throw new Invalid("'$name' is at least a millisecond; leave it out for no deadline.");
        }
        return $seconds;
    }

    /** A time that may be left out, as the service reads it. */
    public static function said(string $name, ?float $seconds): ?string
    {
        return self::check($name, $seconds) === null ? null : self::text($seconds);
    }

    /** As the service reads it. */
    public static function text(float $seconds): string
    {
        return (int) ceil(round($seconds * 1000, 3)) . 'ms';
    }
}
