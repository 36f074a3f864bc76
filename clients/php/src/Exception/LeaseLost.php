<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** The lease is over: somebody else may hold the lock by now, so stop, and look at the state of your work. */
class LeaseLost extends LeaseholdException
{
    /**
     * What ended it: `ttl`, `broken`, `connection-closed`, `process-exited`, `lock-removed` and so on, as the service
     * says it; `forgotten` when it does not know the lease, `released` after a release, and `forked` in the child of a
     * fork, which holds nothing.
     */
    public function reason(): string
    {
        return $this->body['reason'] ?? 'forgotten';
    }

    /** What the operator said who broke it. */
    public function breakReason(): ?string
    {
        return $this->body['break_reason'] ?? null;
    }

    /** When it ended, for people; null where nobody knows. */
    public function endedAt(): ?string
    {
        return $this->body['ended_at'] ?? null;
    }
}
