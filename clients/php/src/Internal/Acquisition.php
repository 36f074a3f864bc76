<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\{Client, Keep, Lease};
use Leasehold\Exception\{Invalid, LeaseholdException, Locked, Unavailable, WaitTimeout};

/** Takes a lock: chooses how the lease is kept, waits, and leaves nothing behind when it does not get it. */
final class Acquisition
{
    private readonly string $owner;
    /** The longest wait that is asked for at once, in seconds. */
    private float $longest = 3600.0;
    private static ?string $program = null;

    /** @param array<string, ?string> $said what the service is told as it is; null is unsaid */
    public function __construct(
        private readonly Client $client,
        private readonly Want $want,
        private readonly ?float $wait,
        private readonly ?float $ttl,
        private readonly ?float $maxHold = null,
        ?string $owner = null,
        private readonly Keep $keep = Keep::Auto,
        private readonly bool $isOwn = true,
        private readonly array $said = [],
    ) {
        Seconds::check('wait', $wait);
        Seconds::checkPositive('ttl', $ttl);
        Seconds::checkPositive('maxHold', $maxHold);
        if (($keep === Keep::Renewal) !== ($ttl !== null) && $keep !== Keep::Auto) {
            throw new Invalid($ttl === null ? 'Keep::Renewal needs a ttl.'
                : "A ttl is for Keep::Renewal; give maxHold for the longest time that the lease may last.");
        }
        $this->owner = $owner ?? self::$program ??= self::program();
    }

    /** @throws LeaseholdException */
    public function run(): Lease
    {
        $end = $this->wait === null ? PHP_INT_MAX : Clock::in($this->wait);
        while (true) {
            $keep = $this->chosen();
            $request = new GrantRequest(
                $this->client->transport, $this->want, $keep, $this->terms($keep), $this->owner, $this->isOwn);
            // The service lets nobody wait longer than it likes: a longer wait is asked for piece by piece.
            $left = $this->wait === 0.0 ? 0.0 : min($this->longest, max(0, $end - Clock::now()) / 1e9);
            try {
                $answer = $request->send($left);
                if ($answer->status < 300 && !$answer->isLease()) {
                    throw new Unavailable('What answers there is not Leasehold: it sent no lease.');
                }
                if ($answer->status < 300) {
                    return new Lease($this->client, $answer->json, $keep, $request->connection,
                        $request->deadline($answer), $this->maxHold, $this->isOwn);
                }
            } catch (\Throwable $error) {
                $request->cancel($error);
                throw $error;
            }
            if (!$this->isAskedAgain($answer, $keep, $left)) {
                $this->refuse($answer, $end);
            }
        }
    }

    /** Tells whether the same may be asked for in another way, and arranges for that. */
    private function isAskedAgain(Answer $answer, Keep $keep, float $left): bool
    {
        $parameter = $answer->json['parameter'] ?? null;
        $cannot = in_array($answer->code(), ['no-such-process', 'not-supported'], true);
        if ($cannot || $answer->status === 400 && $parameter === 'bind') {
            $isOther = $this->keep === Keep::Auto && $keep === Keep::Process;
            return $isOther && $this->client->cannotBindProcess = true;
        }
        if ($answer->code() === 'out-of-range' && $parameter === 'wait') {
            $maximum = ($answer->json['maximum_ms'] ?? PHP_INT_MAX) / 1000;
            [$isShorter, $this->longest] = [$maximum < $left, $maximum];
            return $isShorter;
        }
        $address = $this->client->transport->address;
        if ($answer->code() === 'no-such-lease'
            || $answer->status === 410 && in_array($answer->json['ref'] ?? null, Held::refs($address), true)) {
            // Not this one: one that it named as held. That one's own next look tells.
            return $this->isOwn && Held::review($address);
        }
        // A connection that broke took the grant along: nobody has it.
        $isOver = $keep === Keep::Stream && ($answer->json['reason'] ?? null) === 'connection-closed';
        return $answer->code() === 'undelivered' || $answer->status === 410 && $isOver;
    }

    /** Returns if the caller's own time is not over. */
    private function refuse(Answer $answer, int $end): void
    {
        $error = Problems::exception($answer, $this->isOwn ? Held::refs($this->client->transport->address) : []);
        $isWaiting = $error instanceof Locked && $answer->code() !== 'queue-full' && $this->wait !== 0.0;
        if (!$isWaiting) {
            throw $error;
        }
        if (Clock::now() >= $end - Clock::nanoseconds(0.001)) {
            throw new WaitTimeout($error->getMessage(), $error->problem, $error->status, $error->body);
        }
    }

    private function chosen(): Keep
    {
        if ($this->keep !== Keep::Auto) {
            return $this->keep;
        }
        // Elsewhere the process outlives the request, and with it what is bound to it.
        $isProgram = in_array(PHP_SAPI, ['cli', 'phpdbg', 'embed', 'micro'], true);
        $mayBind = $this->client->transport->address->isUnix && !$this->client->cannotBindProcess;
        return match (true) {
            $this->ttl !== null => Keep::Renewal,
            $isProgram && $mayBind => Keep::Process,
            default => Keep::Stream,
        };
    }

    /** @return array<string, mixed> */
    private function terms(Keep $keep): array
    {
        $longest = $this->maxHold === null ? '0' : Seconds::text($this->maxHold);
        return array_filter($this->said, static fn (?string $text): bool => $text !== null) + match ($keep) {
            Keep::Process => ['bind' => 'pid:' . getmypid(), 'ttl' => $longest],
            Keep::Cgroup => ['bind' => 'cgroup', 'ttl' => $longest],
            Keep::Stream => ['bind' => 'connection', 'ttl' => $longest],
            default => ['ttl' => Seconds::text(min($this->ttl ?? INF, $this->maxHold ?? INF))],
        };
    }

    /** Who asks, for people: `USER@HOST PROGRAM`, cut to what the service takes. */
    private static function program(): string
    {
        $known = function_exists('posix_getpwuid') ? posix_getpwuid(posix_geteuid()) : false;
        $user = $known['name'] ?? (getenv('USER') ?: 'php');
        $text = $user . '@' . gethostname() . ' ' . basename($_SERVER['SCRIPT_FILENAME'] ?? 'php');
        $text = substr(preg_replace('/[\x00-\x1f\x7f]/', '?', $text), 0, 128);
        while (preg_match('//u', $text) !== 1) {
            $text = substr($text, 0, -1);
        }
        return $text;
    }
}
