<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\{LeaseholdException, Unavailable};
use Leasehold\Keep;

/**
 * One acquire, with all its sendings.
 *
 * All have one Idempotency-Key: the next one gets the lease that an answer got lost of, or its place in the queue.
 */
final class GrantRequest
{
    /** How far the clock of this process may run apart from the service's, of a time: the kernel's own limit, twice. */
    public const DRIFT = 0.001;

    /** The connection of its own that the lease lives by; null for other ways to keep it. */
    public readonly ?Connection $connection;
    private readonly string $key;
    private readonly int $firstSent;
    private int $lastSent = 0;

    /** @param array<string, mixed> $terms what the lease is bound to, and its ttl */
    public function __construct(
        private readonly Transport $transport,
        private readonly Want $want,
        Keep $keep,
        private readonly array $terms,
        private readonly string $owner,
        private readonly bool $namesHeld = true,
    ) {
        $this->connection = $keep === Keep::Stream ? $transport->connection() : null;
        $this->key = 'php-' . bin2hex(random_bytes(16));
        $this->firstSent = Clock::now();
    }

    /** @param float $wait in seconds */
    public function send(float $wait): Answer
    {
        return $this->transport->request(
            'POST', $this->want->target, $this->headers(), $this->body(...), Clock::in($wait), via: $this->connection);
    }

    /**
     * Takes back what may have arrived, a lease or a place in the queue, after an error of any kind.
     *
     * That may be what the handler of a signal threw while this waited.
     */
    public function cancel(\Throwable $error): void
    {
        $this->connection?->close();
        $isAway = $error instanceof Unavailable;
        if ($this->lastSent === 0 || $isAway && !$error->mayHaveArrived) {
            return;
        }
        try {
            if (!$isAway) {
                Signals::after(fn () => $this->takeBack(2.0));
                return;
            }
        } catch (LeaseholdException) {
            // Then it is owed.
        }
        $this->transport->owe("acquire $this->key", Clock::in(3600), fn () => $this->takeBack(0.5));
    }

    /** When the lease ends at the latest, by the clock; null where no clock ends it. */
    public function deadline(Answer $answer): ?int
    {
        $ttl = $answer->json['ttl_ms'] ?? 0;
        if ($ttl <= 0) {
            return null;
        }
        // The service granted it no sooner than it was asked first and let it wait; and counted what it has left no
        // sooner than it was asked last.
        $first = $this->firstSent + self::span($answer->json['waited_ms'] ?? 0) + self::span($ttl);
        return max($first, $this->lastSent + self::span($answer->json['expires_in_ms'] ?? 0));
    }

    /** A time of the service's, as the clock here surely counts it. */
    public static function span(int $milliseconds): int
    {
        return (int) ($milliseconds * 1000000 * (1 - self::DRIFT));
    }

    /** @return array<string, string> */
    private function headers(): array
    {
        return ['Idempotency-Key' => $this->key];
    }

    /** @return array<string, mixed> */
    private function body(float $left): array
    {
        $this->lastSent = Clock::now();
        $body = [...$this->want->body, ...$this->terms, 'owner' => $this->owner];
        if ($left > 0) {
            $body['wait'] = Seconds::text($left);
            $holding = $this->namesHeld ? Held::ids($this->transport->address, $this->want->keys) : [];
            if ($holding !== []) {
                $body['holding'] = $holding;
            }
        }
        return $body;
    }

    /** @param float $patience how long to try, in seconds */
    private function takeBack(float $patience): void
    {
        $answer = $this->transport->request(
            'DELETE', '/leases', $this->headers(), deadline: Clock::in($patience), attempt: $patience / 3, insists: true);
        if (in_array($answer->status, [400, 404, 405], true)) {
            $this->takeOver($patience);
            // The first sending may have been overtaken on its way.
            usleep(250000);
            $this->takeOver($patience);
        }
    }

    /** What an older service understands: the same again, for a moment; it gets the lease or the place, and leaves. */
    private function takeOver(float $patience): void
    {
        $answer = $this->transport->request(
            'POST', $this->want->target, $this->headers(),
            fn (): array => ['wait' => '1ms'] + $this->body(0), deadline: Clock::in($patience));
        if (isset($answer->json['lease'])) {
            $this->transport->request('DELETE', '/leases/' . $answer->json['lease'], deadline: Clock::in($patience));
        }
    }
}
