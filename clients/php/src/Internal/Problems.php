<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\{AlreadyHeld, Deadlock, Denied, Invalid, KernelLimit, LeaseholdException, LeaseLost, Locked};
use Leasehold\Exception\{Superseded, Unavailable, WaitTimeout};

/** Makes exceptions of the service's problems. */
final class Problems
{
    /** @param list<string> $held refs of the leases of this program: who asks for what it has is told so */
    public static function exception(Answer $answer, array $held = []): LeaseholdException
    {
        $code = $answer->code();
        $kind = match (true) {
            $code === 'deadlock' => self::isOwnCircle($answer) ? AlreadyHeld::class : Deadlock::class,
            $code === 'superseded' => Superseded::class,
            $answer->status === 423 => self::isAllHeldBy($held, $answer) ? AlreadyHeld::class
                : ($code === 'wait-timeout' ? WaitTimeout::class : Locked::class),
            $answer->status === 410, $code === 'no-such-lease' => LeaseLost::class,
            in_array($answer->status, [401, 403, 421], true) => Denied::class,
            in_array($answer->status, [429, 502, 503, 504], true) => Unavailable::class,
            $answer->status === 507 => KernelLimit::class,
            $answer->status >= 400 && $answer->status < 500 => Invalid::class,
            default => LeaseholdException::class,
        };
        $message = $answer->json['detail'] ?? "The service answered $answer->status.";
        return new $kind($message, $code, $answer->status, $answer->json);
    }

    /** The loss of a lease that this program noticed by itself. */
    public static function lost(string $message, string $reason): LeaseLost
    {
        return new LeaseLost($message, '', 0, ['reason' => $reason]);
    }

    private static function isOwnCircle(Answer $answer): bool
    {
        $circle = $answer->json['circle'] ?? [];
        return count($circle) === 1 && ($circle[0]['you'] ?? false) === true;
    }

    /** @param list<string> $held */
    private static function isAllHeldBy(array $held, Answer $answer): bool
    {
        $holders = array_column($answer->json['holders'] ?? [], 'ref');
        return $holders !== [] && array_diff($holders, $held) === [];
    }
}
