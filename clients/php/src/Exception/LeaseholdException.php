<?php

declare(strict_types=1);

namespace Leasehold\Exception;

/** Everything that goes wrong here is one of these. */
class LeaseholdException extends \RuntimeException
{
    /**
     * @param string $problem the service's stable code, such as `kind-mismatch`; empty when it did not answer
     * @param int $status the status of its answer; 0 when it did not answer
     * @param array<string, mixed> $body its whole answer
     */
    public function __construct(
        string $message,
        public readonly string $problem = '',
        public readonly int $status = 0,
        public readonly array $body = [],
        ?\Throwable $previous = null,
    ) {
        parent::__construct($message, $status, $previous);
    }

    /** The number of the request in the service's log; null when it did not answer. */
    public function requestId(): ?string
    {
        return $this->body['request_id'] ?? null;
    }
}
