<?php

declare(strict_types=1);

namespace Leasehold\Internal;

/** What the service answered. */
final class Answer
{
    /** @param array<string, mixed> $json the body; empty when it is no JSON object */
    public function __construct(public readonly int $status, public readonly array $json)
    {
    }

    /** Tells whether it is a lease, and not what some other server says. */
    public function isLease(): bool
    {
        $has = is_string($this->json['lease'] ?? null) && is_int($this->json['fence'] ?? null);
        return $this->status < 300 && $has && isset($this->json['key']);
    }

    /** The stable name of a problem; empty for an answer that is none. */
    public function code(): string
    {
        return $this->status < 400 ? '' : (string) ($this->json['code'] ?? '');
    }

    /** Tells whether the same may be asked again in a moment: the service is away, starts, stops or has no room. */
    public function isPassing(): bool
    {
        return in_array($this->status, [502, 503, 504], true);
    }

    /** Tells whether the service did not hear it: it had no room for the connection, or failed. */
    public function isUnheard(): bool
    {
        return $this->status === 429 || $this->status >= 500;
    }
}
