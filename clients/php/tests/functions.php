<?php

declare(strict_types=1);

namespace Leasehold\Tests;

/** Asks again and again until something is true. */
function eventually(callable $condition, string $what, float $patience = 10): void
{
    $end = microtime(true) + $patience;
    while (!$condition()) {
        if (microtime(true) > $end) {
            throw new \RuntimeException("It did not happen within $patience s: $what");
        }
        usleep(5000);
    }
}
