<?php

declare(strict_types=1);

namespace Leasehold;

use Leasehold\Exception\{Deadlock, Invalid, LeaseholdException, LeaseLost, Locked, Unavailable};
use Leasehold\Internal\{Answer, Clock, Connection, GrantRequest, Held, Problems, Seconds, Signals, Want};

/**
 * A lock that this program has.
 *
 * It is held until it is released or lost. PHP has no thread that watches it, so a loss is seen by the next look: by
 * `check`, `renew` and `release`, and by `isHeld`, which asks only this process.
 */
final class Lease
{
    /** How long a release is tried, in seconds. */
    private const RELEASE = 2.0;
    /** How long a lease that lives by a connection is held without a word of the service, in seconds. */
    private const SILENCE = 20.0;
    /** As many leases as the service renews in one request. */
    private const TOGETHER = 1000;
    /** The shortest time that the service lends a lock for, in seconds. */
    public const SHORTEST = 0.1;

    /** @var list<string> the locks that it was taken on; `locks` tells those that were added, too */
    public readonly array $keys;
    /** Its short name, for listings and logs. */
    public readonly string $ref;
    /** Grows with every grant: send it along with each write that must not come late. */
    public readonly int $fence;
    /** The name of its slot, the first where it has several; null where slots have no names. */
    public readonly ?string $slot;
    /** @var list<string> the names of its slots, on locks whose slots have names */
    public readonly array $slots;
    /** Who has it, for people. */
    public readonly ?string $owner;
    private readonly string $id;
    private readonly int $pid;
    private readonly ?int $latest;
    private string $mode;
    private ?float $ttl;
    private ?int $renewAt;
    private int $heardAt;
    /** When the connection was last seen to stand, by the clock. */
    private int $stoodAt;
    /** How long after a restart of the service it can be bound to another connection. */
    private int $grace;
    private bool $isStream = false;
    private ?int $breakingAt = null;
    /** @var array<string, mixed> what its loss will say */
    private array $breaking = [];
    /** @var list<array<string, mixed>> */
    private array $locks;
    private ?string $keptUntil;
    private bool $isAskedToYield = false;
    private bool $isReleased = false;
    private ?LeaseLost $lost = null;

    /**
     * @internal
     * @param array<string, mixed> $json what the service answered
     * @param Connection|null $connection what it lives by, if it does
     * @param int|null $deadline when it ends, by the clock
     * @param float|null $maxHold how long it may last at most, in seconds
     * @param bool $isOwn whether nobody but this program has its id
     */
    public function __construct(
        private readonly Client $client,
        array $json,
        public readonly Keep $keep,
        private ?Connection $connection = null,
        private ?int $deadline = null,
        ?float $maxHold = null,
        bool $isOwn = true,
    ) {
        $this->id = $json['lease'];
        $this->ref = $json['ref'] ?? substr($this->id, 0, 10);
        $this->locks = $json['locks'] ?? [$json];
        $this->keys = array_column($this->locks, 'key');
        $this->fence = $json['fence'];
        $this->keptUntil = $json['kept_until'] ?? null;
        $this->slots = array_merge(...array_column($this->locks, 'slots'));
        $this->slot = $this->slots[0] ?? null;
        $this->owner = $json['owner'] ?? null;
        $this->mode = $json['mode'] ?? 'exclusive';
        $this->pid = (int) getmypid();
        $this->ttl = $keep === Keep::Renewal && isset($json['ttl_ms']) ? $json['ttl_ms'] / 1000 : null;
        $this->heardAt = $this->stoodAt = Clock::now();
        $this->grace = GrantRequest::span($json['recovery_grace_ms'] ?? 0);
        $this->renewAt = $this->renewalFrom($this->heardAt);
        $this->latest = $maxHold === null || $deadline === null ? null
            : $deadline - GrantRequest::span($json['ttl_ms']) + Clock::nanoseconds($maxHold);
        if ($isOwn) {
            Held::add($client->transport->address, $this->id, $this);
        }
    }

    /** Its secret name: who has it may renew and release. */
    public function id(): string
    {
        return $this->id;
    }

    /** `exclusive` or `shared`. */
    public function mode(): string
    {
        return $this->mode;
    }

    /**
     * All its locks, those that were added too: names, numbers and the names of their slots.
     *
     * @return list<array{key: string, fence: int, slots: list<string>}>
     */
    public function locks(): array
    {
        return array_map(fn (array $lock): array => ['key' => $lock['key'], 'fence' => $lock['fence'] ?? $this->fence,
            'slots' => $lock['slots'] ?? []], $this->locks);
    }

    /** Until when `holdAtLeast` keeps it taken (RFC 3339); null where nothing does. */
    public function keptUntil(): ?string
    {
        return $this->keptUntil;
    }

    /**
     * Tells whether a newer request of its group (`newest`) waits, as of the last `check` or `renew`: give it back as
     * soon as you like to. It is held on.
     */
    public function isAskedToYield(): bool
    {
        return $this->isAskedToYield;
    }

    /** What is left by the clock of this process, in seconds; null without a deadline. */
    public function remaining(): ?float
    {
        $isCut = $this->connection !== null && $this->connection->isBroken();
        $end = min($this->deadline ?? PHP_INT_MAX, $isCut ? $this->stoodAt + $this->grace : PHP_INT_MAX);
        return $end === PHP_INT_MAX ? null : max(0, $end - Clock::now()) / 1e9;
    }

    /** What is left of the time that an operator gave it, as of the last look, in seconds; null if nobody ends it. */
    public function breakingIn(): ?float
    {
        return $this->breakingAt === null ? null : max(0, $this->breakingAt - Clock::now()) / 1e9;
    }

    /** Tells whether it is neither released nor lost, as far as this process knows; asks nobody. */
    public function isHeld(): bool
    {
        return !$this->isReleased && $this->lost() === null;
    }

    /** How it was lost; null when it was not, as far as this process knows. */
    public function lost(): ?LeaseLost
    {
        if ($this->lost === null && !$this->isReleased) {
            if ($this->pid !== getmypid()) {
                $this->lose(Problems::lost('The parent of this process has the lease, not its child.', 'forked'));
            } elseif ($this->breakingAt !== null && Clock::now() >= $this->breakingAt) {
                $this->lose(new LeaseLost("Lease $this->ref was ended by an operator.", '', 0, $this->breaking));
            } elseif ($this->deadline !== null && Clock::now() >= $this->deadline) {
                $this->lose(Problems::lost("The time of lease $this->ref was over before it was renewed.", 'deadline'));
            } elseif ($this->connection !== null) {
                $this->lookAtConnection($this->connection);
            }
        }
        return $this->lost;
    }

    private function lookAtConnection(Connection $connection): void
    {
        if (!$connection->isBroken()) {
            $this->stoodAt = Clock::now();
        } elseif (($words = $connection->lastWords()) !== null) {
            $body = ['reason' => $words['ended'], 'ended_at' => $words['at'] ?? null] + $words;
            $this->lose(new LeaseLost("Lease $this->ref is over: $words[ended].", '', 0, $body));
        } elseif (Clock::now() >= $this->stoodAt + $this->grace) {
            $message = "The connection that lease $this->ref was bound to is closed.";
            $this->lose(Problems::lost($message, 'connection-closed'));
        }
    }

    /** Binds it to another connection, where its own ended with the service (rule 14); false where it stays cut. */
    private function openAgain(): bool
    {
        $old = $this->connection;
        $isOver = $this->isReleased || $this->lost !== null || $this->pid !== getmypid();
        if ($old === null || $isOver || $this->grace === 0 || !$old->isBroken() || $old->lastWords() !== null) {
            return true;
        }
        $transport = $this->client->transport;
        $connection = $transport->connection(isStream: true);
        try {
            $sentAt = Clock::now();
            // Not for long: the next look tries again.
            $answer = $transport->request('POST', $this->target('/hold'), via: $connection, attempt: 0.25,
                deadline: min($this->deadline ?? PHP_INT_MAX, Clock::in(0.25)));
            if ($answer->isLease()) {
                $old->close();
                [$this->connection, $this->isStream] = [$connection, true];
                [$this->stoodAt, $this->heardAt] = [$sentAt, $sentAt];
                $this->grace = GrantRequest::span($answer->json['recovery_grace_ms'] ?? 0);
                return true;
            }
            $error = Problems::exception($answer);
            $isGone = $error instanceof LeaseLost && !isset($answer->json['breaking_in_ms']);
            if ($answer->status < 500) {
                $this->lose($isGone ? $error : Problems::lost("Lease $this->ref cannot be bound again: "
                    . $error->getMessage(), 'connection-closed'));
            }
        } catch (LeaseholdException) {
            // The clock tells.
        }
        return false;
    }

    /**
     * Asks the service whether it is held; where it has a ttl and a third of that is over, it is renewed.
     *
     * A service that does not answer soon ends nothing before the deadline: the next call tries again. But a lease that
     * lives by a connection is lost when nothing was heard for 20 s, as the service may have lost that connection.
     * @param bool $renew whether to renew it when that is due
     * @throws LeaseLost
     */
    public function check(bool $renew = true): void
    {
        $isCut = !$this->openAgain();
        $this->mustBeHeld();
        if ($isCut) {
            return;
        }
        $isDue = $renew && $this->renewAt !== null && $this->breakingAt === null && Clock::now() >= $this->renewAt;
        // A connection that went silent must not use up the time that is left for a renewal.
        $patience = min($this->client->timeout, 1.0, $this->ttl === null ? INF : max(0.25, $this->ttl / 6));
        try {
            if ($isDue && $this->renewTogether(Clock::in($patience), max(0.1, $patience / 3))) {
                $this->mustBeHeld();
                return;
            }
            $this->ask($isDue ? $this->ttl : null, Clock::in($patience), max(0.1, $patience / 3));
        } catch (Unavailable) {
            if ($this->connection !== null && Clock::now() >= $this->heardAt + Clock::nanoseconds(self::SILENCE)) {
                $this->lose(Problems::lost("Nothing was heard of lease $this->ref for 20 s.", 'silent'));
            }
            $this->mustBeHeld();
        }
    }

    /**
     * Moves the deadline to `ttl` from now, or to its own ttl from now; tries until the old deadline.
     *
     * Without a ttl of either it has no deadline to move, and is only asked for; as it is while an operator ends it.
     * A note is shown to everybody who asks.
     * @throws LeaseLost
     * @throws Unavailable when nothing answered, and it has no deadline
     */
    public function renew(?float $ttl = null, ?string $note = null): void
    {
        $this->openAgain();
        $this->mustBeHeld();
        $ttl = Seconds::checkPositive('ttl', $ttl) ?? $this->ttl;
        if ($ttl === null) {
            $note === null ? $this->check(renew: false) : $this->note($note);
            return;
        }
        $pause = 0.1;
        while (true) {
            try {
                $this->ask($ttl, PHP_INT_MAX, $this->deadline === null ? null : max(0.25, $ttl / 6), $note);
                $this->ttl = $this->keep === Keep::Renewal ? $ttl : null;
                return;
            } catch (Unavailable $error) {
                $this->mustBeHeld();
                if ($this->deadline === null) {
                    throw $error;
                }
                Clock::pause($pause, $this->deadline);
                $pause = min(2 * $pause, max(0.1, $ttl / 6));
            }
        }
    }

    /**
     * Turns a reader's lease into a writer's (`exclusive`), or back (`shared`); the fence stays.
     *
     * @param float $wait how long to wait for other readers to go, in seconds
     * @throws Locked when others read until the wait is over; this one still reads then
     * @throws Deadlock when another reader wants the same, and waits for this one
     * @throws LeaseLost
     * @throws LeaseholdException
     */
    public function convert(string $mode, float $wait = 0): void
    {
        $this->mustBeHeld();
        if (count($this->keys) !== 1) {
            throw new Invalid('A lease on several locks is converted by Client::call, which says which of them.');
        }
        Seconds::check('wait', $wait);
        $body = function (float $left) use ($mode): array {
            $body = ['lease' => $this->id, 'mode' => $mode];
            return $left > 0 ? $body + ['wait' => Seconds::text($left)] : $body;
        };
        $now = Clock::now();
        $this->accept($this->client->transport->request(
            'POST', '/locks/' . rawurlencode($this->keys[0]) . '/convert', body: $body,
            waitUntil: Clock::in($wait), deadline: $this->deadline ?? PHP_INT_MAX), $now);
    }

    /**
     * Shows everybody who asks a text beside the lease, such as how far the work is; an empty one clears it.
     *
     * @throws LeaseLost
     * @throws LeaseholdException
     */
    public function note(string $text): void
    {
        $this->mustBeHeld();
        $now = Clock::now();
        $this->accept($this->client->transport->request(
            'PUT', "/leases/$this->id/note", body: static fn (): array => ['note' => $text], deadline: $this->deadline ?? PHP_INT_MAX), $now);
    }

    /**
     * Takes more locks on this lease, all or none, without a wait; `locks` tells their numbers.
     *
     * @param string|array<string, mixed> ...$keys names, or what a member of `want` says in `POST /leases`
     * @throws Locked
     * @throws LeaseLost
     * @throws LeaseholdException
     */
    public function add(string|array ...$keys): void
    {
        $this->mustBeHeld();
        $want = Want::several($keys);
        $answer = $this->client->transport->request('POST', $this->target('/add'),
            body: static fn (): array => ['want' => $want], deadline: $this->deadline ?? PHP_INT_MAX);
        if ($answer->status < 400) {
            $this->locks = $answer->json['locks'] ?? [$answer->json];
            return;
        }
        if (in_array($answer->status, [404, 410], true)) {
            // What is gone may be the other lock, and not the lease.
            $this->check(renew: false);
        }
        $error = Problems::exception($answer);
        throw $error instanceof LeaseLost
            ? new Invalid($error->getMessage(), $error->problem, $error->status, $error->body) : $error;
    }

    /**
     * Gives the lock back, and tells whether it was held until now; a second time says no.
     *
     * Never throws. What does not reach the service within two seconds is sent with the client's next request, or by
     * `Client::settle`.
     * @param bool $early whether to free what `holdAtLeast` keeps, also after an earlier release
     */
    public function release(bool $early = false): bool
    {
        return $this->giveBack($early) ?? true;
    }

    /**
     * The environment for a program that works under this lease: the same as `leasehold run` gives.
     *
     * @return array<string, string>
     */
    public function env(): array
    {
        $address = $this->client->transport->address;
        $slots = array_merge(...array_column($this->locks(), 'slots'));
        return ($slots === [] ? [] : ['LEASEHOLD_SLOT' => implode(',', $slots)]) + [
            'LEASEHOLD_LEASE' => $this->id,
            'LEASEHOLD_FENCE' => (string) $this->fence,
            'LEASEHOLD_LOCK' => implode("\n", array_column($this->locks, 'key')),
            'LEASEHOLD_HOLDING' => implode(',', array_unique([$this->id, ...Held::ids($address)])),
            'LEASEHOLD_URL' => $address->isUnix ? "unix:$address" : (string) $address,
        ];
    }

    /** @return array<string, mixed> without the secret */
    public function __debugInfo(): array
    {
        return ['keys' => $this->keys, 'ref' => $this->ref, 'fence' => $this->fence, 'mode' => $this->mode,
            'owner' => $this->owner, 'keep' => $this->keep, 'remaining' => $this->remaining()];
    }

    public function __serialize(): array
    {
        throw new \LogicException('A lease is of the process that has it.');
    }

    /**
     * @internal
     * @return bool|null as `release`; null when the service did not answer, and will be told later
     */
    public function giveBack(bool $early = false): ?bool
    {
        // As a whole: the handler of a signal that threw between two of its steps would leave the lock to nobody.
        return Signals::after(fn (): ?bool => $this->giveBackNow($early));
    }

    private function giveBackNow(bool $early): ?bool
    {
        $early = $early && $this->keptUntil !== null;
        if ($this->isReleased && !$early) {
            return false;
        }
        $wasHeld = $this->lost() === null && !$this->isReleased;
        if ($this->lost?->reason() === 'forked') {
            return false;
        }
        Held::remove($this->client->transport->address, $this->id);
        // What is lost by the clock here, or by its connection, the service may still count as held.
        $isOver = !$wasHeld && !in_array($this->lost?->reason(), ['deadline', 'connection-closed'], true);
        $this->isReleased = $this->isReleased || $wasHeld;
        if ($isOver && !$early) {
            return false;
        }
        $target = $this->target($early ? '?early=true' : '');
        return $this->tellReleased($wasHeld, $target);
    }

    private function tellReleased(bool $wasHeld, string $target): ?bool
    {
        $transport = $this->client->transport;
        try {
            $isOpen = $this->connection !== null && !$this->isStream && !$this->connection->isBroken();
            $via = $isOpen ? $this->connection : null;
            $answer = $transport->request(
                'DELETE', $target, deadline: Clock::in(self::RELEASE), attempt: self::RELEASE / 3, via: $via,
                insists: true);
            if ($answer->status < 400) {
                $this->keptUntil = $answer->json['kept_until'] ?? null;
                return $wasHeld;
            }
            $error = Problems::exception($answer);
            if ($error instanceof LeaseLost && $wasHeld) {
                $this->isReleased = false;
                $this->lose($error);
            }
            return false;
        } catch (LeaseholdException) {
            $transport->owe($target, $this->deadline ?? PHP_INT_MAX, static fn (): Answer =>
                $transport->request('DELETE', $target, deadline: Clock::in(0.5), attempt: 0.2, insists: true));
            return $wasHeld ? null : false;
        } finally {
            $this->connection?->close();
        }
    }

    /**
     * Looks at it, or renews it.
     *
     * @param float|null $ttl for a renewal, which is a look all the same where it would be of no use
     */
    private function ask(?float $ttl, int $until, ?float $attempt, ?string $note = null): void
    {
        $left = $this->latest === null ? INF : ($this->latest - Clock::now()) / 1e9;
        $isRenewal = $ttl !== null && $left >= self::SHORTEST && $this->breakingAt === null;
        $sentAt = Clock::now();
        $body = function () use ($ttl, $left, $note, &$sentAt): array {
            $sentAt = Clock::now();
            return ['ttl' => Seconds::text(min($ttl, $left))] + ($note === null ? [] : ['note' => $note]);
        };
        $answer = $this->client->transport->request(
            $isRenewal ? 'POST' : 'GET', $this->target($isRenewal ? '/renew' : ''), body: $isRenewal ? $body : null,
            deadline: min($until, $this->deadline ?? PHP_INT_MAX), attempt: $attempt);
        $this->accept($answer, $sentAt, $isRenewal);
    }

    /**
     * Renews it, and the program's others that soon are due, in one request; false where it is to be renewed alone.
     *
     * @throws Unavailable
     */
    private function renewTogether(int $until, float $attempt): bool
    {
        $isOther = fn (Lease $one): bool => $one !== $this && $one->client === $this->client && $one->joins();
        $transport = $this->client->transport;
        $others = $this->client->renewsSeveral && $this->joins()
            ? array_slice(array_filter(Held::leases($transport->address), $isOther), 0, self::TOGETHER - 1) : [];
        if ($others === []) {
            return false;
        }
        $leases = [];
        foreach ([$this, ...$others] as $lease) {
            $leases[$lease->id] = $lease;
        }
        $sentAt = 0;
        $body = static function () use ($leases, &$sentAt): array {
            $sentAt = Clock::now();
            return ['leases' => array_keys($leases)];
        };
        $answer = $transport->request('POST', '/leases/renew', body: $body,
            deadline: min($until, $this->deadline ?? PHP_INT_MAX), attempt: $attempt);
        $this->client->renewsSeveral = !in_array($answer->status, [400, 404, 405], true);
        $parts = array_map(static fn (array $one): Answer => new Answer(200, $one), $answer->json['renewed'] ?? []);
        foreach ($answer->json['lost'] ?? [] as $one) {
            $parts[] = new Answer($one['code'] === 'no-such-lease' ? 404 : 410, $one);
        }
        foreach ($parts as $part) {
            ($leases[$part->json['lease']] ?? null)?->acceptPart($part, $sentAt);
            unset($leases[$part->json['lease']]);
        }
        return !isset($leases[$this->id]);
    }

    /** Whether it may be renewed together with another that is due: it soon is, too, and for the ttl that it has. */
    private function joins(): bool
    {
        $now = Clock::now();
        $isSoon = $this->renewAt !== null && $now >= $this->renewAt - Clock::nanoseconds($this->ttl / 12);
        $isWhole = $this->latest === null || $this->latest - $now >= Clock::nanoseconds($this->ttl ?? 0);
        return $isSoon && $isWhole && $this->breakingAt === null && $this->isHeld();
    }

    private function acceptPart(Answer $answer, int $sentAt): void
    {
        if (!$this->isHeld()) {
            return;
        }
        try {
            $this->accept($answer, $sentAt, true);
        } catch (LeaseholdException) {
            // Its state tells.
        }
    }

    private function target(string $more = ''): string
    {
        return "/leases/$this->id$more";
    }

    private function mustBeHeld(): void
    {
        if ($this->isReleased) {
            throw Problems::lost("Lease $this->ref was released.", 'released');
        }
        if (($lost = $this->lost()) !== null) {
            throw $lost;
        }
    }

    /** @param int $sentAt when it was asked for, by the clock */
    private function accept(Answer $answer, int $sentAt, bool $isRenewal = false): void
    {
        $this->isAskedToYield = $this->isAskedToYield || ($answer->json['yield'] ?? false);
        $breaking = $answer->json['breaking_in_ms'] ?? null;
        if ($breaking !== null) {
            $this->breakingAt = $sentAt + GrantRequest::span($breaking);
            $this->breaking = ['reason' => 'broken', 'break_reason' => $answer->json['break_reason'] ?? null];
        }
        if ($answer->status >= 400) {
            // An operator who leaves it some time refuses it more, but has not ended it yet.
            if ($isRenewal && $breaking !== null) {
                return;
            }
            $error = Problems::exception($answer);
            if ($error instanceof LeaseLost && $breaking === null) {
                $this->lose($error);
            }
            throw $error;
        }
        $this->heardAt = $sentAt;
        $this->mode = $answer->json['mode'] ?? $this->mode;
        if ($isRenewal) {
            $left = $answer->json['expires_in_ms'] ?? null;
            $this->deadline = $left === null ? null : $sentAt + GrantRequest::span($left);
            $this->renewAt = $this->renewalFrom($sentAt);
        }
    }

    private function renewalFrom(int $now): ?int
    {
        return $this->ttl === null ? null : $now + Clock::nanoseconds($this->ttl / 3);
    }

    private function lose(LeaseLost $lost): void
    {
        $this->lost = $lost;
        Held::remove($this->client->transport->address, $this->id);
    }
}
