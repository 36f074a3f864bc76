<?php

declare(strict_types=1);

namespace Leasehold\Internal;

/** What must be done to its end: handlers of signals, which may throw, come after it. */
final class Signals
{
    /**
     * @template T
     * @param callable(): T $work
     * @return T
     */
    public static function after(callable $work): mixed
    {
        if (!function_exists('pcntl_async_signals') || !pcntl_async_signals()) {
            return $work();
        }
        pcntl_async_signals(false);
        try {
            return $work();
        } finally {
            pcntl_async_signals(true);
            pcntl_signal_dispatch();
        }
    }
}
