<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\{Invalid, LeaseholdException, Unavailable};

/** Brings requests to the service and tries again where it may be away for a moment; all of them may be sent twice. */
final class Transport
{
    private const FIRST_PAUSE = 0.05;
    private const LONGEST_PAUSE = 0.5;
    /** How long a service is tried that this process has never reached, in seconds. */
    private const UNKNOWN = 1.0;

    public readonly Address $address;
    private readonly Connection $shared;
    /** @var array<string, array{int, callable(): void}> what the service has still to be told, and until when */
    private array $owed = [];
    private static bool $wasReached = false;
    /** @internal How long one waits before it looks whether the service is there, in seconds. */
    public static float $lookAfter = 20.0;

    public function __construct(
        ?string $url,
        #[\SensitiveParameter] private readonly ?string $token,
        public readonly float $timeout,
    ) {
        $this->address = Address::find($url);
        $this->shared = $this->connection();
    }

    /** @return array<string, mixed> without the token */
    public function __debugInfo(): array
    {
        return ['address' => $this->address, 'timeout' => $this->timeout];
    }

    /**
     * A connection of its own, which connects with its first request.
     *
     * @param bool $isStream for one request whose answer has no end
     */
    public function connection(bool $isStream = false): Connection
    {
        return new Connection(
            $this->address, $this->token ?? (getenv('LEASEHOLD_TOKEN') ?: null), getenv('LEASEHOLD_CACERT') ?: null,
            $isStream);
    }

    /**
     * Sends a request until it is answered.
     *
     * @param array<string, string> $headers
     * @param (callable(float): array<string, mixed>)|null $body makes the body, from what is left of the wait in
     *     seconds
     * @param int $waitUntil when it stops to wait in a queue, by the clock
     * @param int $deadline when nothing is tried any more, by the clock
     * @param float|null $attempt how long one sending may take beyond the wait, in seconds; then it is tried until the
     *     deadline. Null for the timeout, for all sendings
     * @param bool $insists for what has to be told sooner or later, such as a release: it is tried again, too, where the
     *     service has no room for the connection (429) or fails (5xx)
     * @throws Unavailable
     */
    public function request(
        string $method,
        string $target,
        array $headers = [],
        ?callable $body = null,
        int $waitUntil = 0,
        int $deadline = PHP_INT_MAX,
        ?float $attempt = null,
        ?Connection $via = null,
        bool $insists = false,
    ): Answer {
        $this->payOwed();
        [$lostAt, $mayHaveArrived, $pause] = [null, false, self::FIRST_PAUSE];
        if ($attempt === null) {
            $deadline = min($deadline, max(Clock::now(), $waitUntil) + Clock::nanoseconds($this->timeout));
        }
        while (true) {
            $sentAt = Clock::now();
            $left = max(0, $waitUntil - $sentAt);
            $until = min($deadline, $sentAt + $left + Clock::nanoseconds($attempt ?? $this->timeout));
            $patience = self::$wasReached ? $this->timeout : min(self::UNKNOWN, $this->timeout);
            $slice = Clock::nanoseconds($lostAt === null ? self::$lookAfter : min(self::$lookAfter, $patience));
            $isLong = $left > $slice;
            if ($isLong) {
                $until = min($until, $sentAt + $slice);
            }
            try {
                $json = $body === null ? null : self::json($body($left / 1e9));
                $answer = $this->once($via ?? $this->shared, $method, $target, $headers, $json, $until, $isLong);
                if (!$answer->isPassing() && !($insists && $answer->isUnheard())) {
                    return $answer;
                }
                $error = new Unavailable(
                    Problems::exception($answer)->getMessage(), $answer->code(), $answer->status, $answer->json);
            } catch (Unavailable $error) {
                $mayHaveArrived = $mayHaveArrived || $error->mayHaveArrived;
                self::$wasReached = self::$wasReached || $mayHaveArrived;
                if ($error->problem !== '') {
                    $error->mayHaveArrived = $mayHaveArrived;
                    throw $error;
                }
            }
            $now = Clock::now();
            if ($isLong && $now >= $until) {
                if ($this->isThere()) {
                    // A proxy may have gone silent: the next sending has the place in the queue.
                    $lostAt = null;
                    continue;
                }
                $lostAt ??= $until;
            } elseif ($lostAt === null || $now - $sentAt > Clock::nanoseconds(self::UNKNOWN)) {
                $lostAt = min($now, max($sentAt, $waitUntil));
            }
            $now = Clock::now();
            $end = $attempt !== null ? $deadline : min($deadline, $lostAt + Clock::nanoseconds($patience));
            if ($now + Clock::nanoseconds($pause) >= $end) {
                assert($error instanceof Unavailable);
                $error->mayHaveArrived = $mayHaveArrived;
                throw $error;
            }
            Clock::pause($pause, $end);
            $pause = min(2 * $pause, self::LONGEST_PAUSE);
        }
    }

    /** @param array<string, mixed> $body */
    private static function json(array $body): string
    {
        try {
            return json_encode($body, JSON_THROW_ON_ERROR);
        } catch (\JsonException $error) {
            throw new Invalid('A text for the service is UTF-8, and this one is not: ' . $error->getMessage());
        }
    }

    /** Remembers what the service has to be told when it is back, until a reading of the clock. */
    public function owe(string $name, int $until, callable $work): void
    {
        $this->owed[$name] = [$until, $work];
    }

    /** Tells the service what it has still to be told; tells whether nothing is left. */
    public function settle(): bool
    {
        $this->payOwed();
        return $this->owed === [];
    }

    /** Tells whether the service answers on a connection that nobody has used. */
    private function isThere(): bool
    {
        try {
            $connection = $this->connection();
            return $connection->send('GET', '/healthz', [], null, Clock::in($this->timeout))->status === 200;
        } catch (LeaseholdException) {
            return false;
        }
    }

    /** Sends a request over a connection; one that had stood idle and turns out to be closed is replaced. */
    private function once(
        Connection $via, string $method, string $target, array $headers, ?string $body, int $until,
        bool $staysInLine = false,
    ): Answer {
        $wasOpen = $via->isOpen();
        try {
            $answer = $via->send($method, $target, $headers, $body, $until, $staysInLine);
        } catch (Unavailable $error) {
            if (!$wasOpen || Clock::now() >= $until) {
                throw $error;
            }
            $answer = $via->send($method, $target, $headers, $body, $until, $staysInLine);
        }
        self::$wasReached = true;
        return $answer;
    }

    private function payOwed(): void
    {
        // Its requests come here too, and find nothing owed.
        [$owed, $this->owed] = [$this->owed, []];
        while ($owed !== []) {
            $name = array_key_first($owed);
            [$until, $work] = $owed[$name];
            try {
                if (Clock::now() < $until) {
                    $work();
                }
                unset($owed[$name]);
            } catch (LeaseholdException) {
                break;
            } finally {
                $this->owed += $owed;
            }
        }
    }
}
