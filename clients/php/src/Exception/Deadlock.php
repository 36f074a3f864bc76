<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** Waiting would never end: somebody who is waited for waits for what this program holds. */
class Deadlock extends LeaseholdException
{
    /** @return list<array<string, mixed>> who waits for whom: `waits_for`, `holds`, `ref`, `owner`, `you` */
    public function circle(): array
    {
        return $this->body['circle'] ?? [];
    }
}
