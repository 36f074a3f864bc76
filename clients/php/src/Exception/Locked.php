<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** Somebody else has the lock. */
class Locked extends LeaseholdException
{
    /** @return list<array<string, mixed>> who has it: `ref`, `owner`, `pid`, `since`, `expires_in_ms` and more */
    public function holders(): array
    {
        return $this->body['holders'] ?? [];
    }

    /** How many wait for it. */
    public function waiters(): int
    {
        return $this->body['waiters'] ?? 0;
    }
}
