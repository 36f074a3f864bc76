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

    /** Tells whether the service asks for the same again in a moment: it starts or stops. */
    public function isPassing(): bool
    {
        return $this->status === 503 && in_array($this->code(), ['draining', 'starting', ''], true)
            || $this->status === 502 || $this->status === 504;
    }
}
