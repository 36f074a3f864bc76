<?php

declare(strict_types=1);

namespace Leasehold\Symfony;

use Leasehold\Client;
use Leasehold\Exception\{AlreadyHeld, Deadlock, Invalid, LeaseholdException, LeaseLost, Locked};
use Leasehold\Internal\{Acquisition, Seconds, Want};
use Leasehold\{Keep, Lease};
use Symfony\Component\Lock\BlockingSharedLockStoreInterface;
use Symfony\Component\Lock\BlockingStoreInterface;
use Symfony\Component\Lock\Exception\InvalidTtlException;
use Symfony\Component\Lock\Exception\LockConflictedException;
use Symfony\Component\Lock\Exception\LockExpiredException;
use Symfony\Component\Lock\Exception\LockReleasingException;
use Symfony\Component\Lock\Exception\LockStorageException;
use Symfony\Component\Lock\Key;

/**
 * Symfony's locks, kept by Leasehold.
 *
 * The resource is the lock's name. The state of a key is the lease's id, its mode and its fence.
 */
final class LeaseholdStore implements BlockingStoreInterface, BlockingSharedLockStoreInterface
{
    /** As long as a name may be, in bytes. */
    private const NAME = 255;

    private readonly Client $client;
    /** @var \WeakMap<Key, Lease> of the keys that were saved here */
    private \WeakMap $leases;

    /**
     * @param Client|null $client where the service is; null for what the environment says
     * @param float $initialTtl how long a lock lasts before its first refresh, in seconds
     * @param float|null $maxWait how long a blocking acquire waits at most, in seconds; null for without end
     * @param bool $bound whether locks last as long as the process or, in a web server, the request: then a program
     *     that is killed leaves none behind and no clock ends them before their first refresh, but their keys cannot
     *     be serialized
     */
    public function __construct(
        ?Client $client = null,
        private readonly float $initialTtl = 300.0,
        private readonly ?float $maxWait = null,
        private readonly bool $bound = false,
    ) {
        if (!($initialTtl > 0)) {
            throw new InvalidTtlException(sprintf('"%s" expects an initial ttl of more than none.', __METHOD__));
        }
        Seconds::check('maxWait', $maxWait);
        $this->client = $client ?? Client::default();
        $this->leases = new \WeakMap();
    }

    public function save(Key $key): void
    {
        $this->take($key, 'exclusive', 0.0);
    }

    public function saveRead(Key $key): void
    {
        $this->take($key, 'shared', 0.0);
    }

    public function waitAndSave(Key $key): void
    {
        $this->take($key, 'exclusive', $this->maxWait);
    }

    public function waitAndSaveRead(Key $key): void
    {
        $this->take($key, 'shared', $this->maxWait);
    }

    public function putOffExpiration(Key $key, float $ttl): void
    {
        $lease = $this->lease($key);
        if ($lease === null) {
            throw new LockConflictedException('The key holds no lock.');
        }
        $key->reduceLifetime($ttl);
        $this->asSymfony(function () use ($key, $lease, $ttl): void {
            try {
                $lease->renew(max(Lease::SHORTEST, $ttl));
                $key->reduceLifetime($lease->breakingIn() ?? $ttl);
            } catch (LeaseLost $error) {
                $this->forget($key);
                throw $error;
            }
        });
        $this->mustNotBeExpired($key);
    }

    public function exists(Key $key): bool
    {
        try {
            $lease = $this->lease($key);
            $lease?->check(renew: false);
            return $lease !== null;
        } catch (LeaseLost) {
            $this->forget($key);
            return false;
        }
    }

    public function delete(Key $key): void
    {
        $lease = $this->lease($key);
        $this->forget($key);
        if ($lease !== null && $lease->giveBack() === null) {
            throw new LockReleasingException("No answer; the service is told later that '$key' is free.");
        }
    }

    /** The number to send along with each write that must not come late; null when the key holds no lock. */
    public function fence(Key $key): ?int
    {
        return $this->lease($key)?->fence;
    }

    private function take(Key $key, string $mode, ?float $wait): void
    {
        $this->asSymfony(function () use ($key, $mode, $wait): void {
            if (!$this->keep($key, $mode, $wait)) {
                $this->acquire($key, $mode, $wait);
            }
        });
        $this->mustNotBeExpired($key);
    }

    /** Turns what the key holds into what is wanted, for another initial ttl; tells whether it held anything. */
    private function keep(Key $key, string $mode, ?float $wait): bool
    {
        if (($lease = $this->lease($key)) === null) {
            return false;
        }
        try {
            if ($lease->mode() !== $mode) {
                $lease->convert($mode, $wait ?? 3600.0);
            }
            $this->bound ? $lease->check() : $lease->renew(max(Lease::SHORTEST, $this->initialTtl));
        } catch (LeaseLost) {
            $this->forget($key);
            return false;
        }
        $this->remember($key, $lease);
        return true;
    }

    private function acquire(Key $key, string $mode, ?float $wait): void
    {
        $ttl = $this->bound ? null : max(Lease::SHORTEST, $this->initialTtl);
        $lease = (new Acquisition(
            $this->client, new Want(self::name($key), $mode === 'shared'), $wait, $ttl, isOwn: $this->bound))->run();
        try {
            if ($this->bound) {
                $key->markUnserializable();
            }
            $this->remember($key, $lease);
        } catch (\Throwable $error) {
            // The handler of a signal threw: the caller does not have it.
            $lease->release();
            throw $error;
        }
    }

    private function remember(Key $key, Lease $lease): void
    {
        $this->leases[$key] = $lease;
        $key->setState(self::class, [$lease->id(), $lease->mode(), $lease->fence]);
        if (($remaining = $lease->remaining()) !== null) {
            $key->reduceLifetime($remaining);
        }
    }

    private function forget(Key $key): void
    {
        unset($this->leases[$key]);
        $key->removeState(self::class);
    }

    /** The lease of a key: the one that was granted here, or one that another process hands over in its state. */
    private function lease(Key $key): ?Lease
    {
        if (!$key->hasState(self::class)) {
            return null;
        }
        [$id, $mode, $fence] = $key->getState(self::class);
        $lease = $this->leases[$key] ?? null;
        if ($lease === null || $lease->id() !== $id) {
            $json = ['lease' => $id, 'key' => self::name($key), 'mode' => $mode, 'fence' => $fence];
            $this->leases[$key] = $lease = new Lease($this->client, $json, Keep::Renewal, isOwn: false);
        }
        return $lease;
    }

    /** The lock's name: the resource, with a hash at its end where the service cannot have it whole. */
    private static function name(Key $key): string
    {
        $name = (string) $key;
        if ($name !== '' && strlen($name) <= self::NAME && preg_match('/^[^\p{C}\p{Zl}\p{Zp}]+$/u', $name) === 1
            && !in_array($name, ['.', '..'], true)) {
            return $name;
        }
        $start = substr(preg_replace('/[^\x21-\x7e]+/', '-', $name), 0, self::NAME - 65);
        return $start . '-' . hash('sha256', $name);
    }

    private function mustNotBeExpired(Key $key): void
    {
        if (!$key->isExpired()) {
            return;
        }
        try {
            $this->delete($key);
        } catch (LockReleasingException) {
            // What went wrong first is worth more.
        }
        throw new LockExpiredException("The lock '$key' expired before it could be stored.");
    }

    private function asSymfony(callable $work): void
    {
        try {
            $work();
        } catch (Locked | AlreadyHeld | Deadlock | LeaseLost $error) {
            throw new LockConflictedException($error->getMessage(), 0, $error);
        } catch (Invalid $error) {
            $isOfTtl = ($error->body['parameter'] ?? null) === 'ttl';
            $kind = $isOfTtl ? InvalidTtlException::class : LockStorageException::class;
            throw new $kind($error->getMessage(), 0, $error);
        } catch (LeaseholdException $error) {
            throw new LockStorageException($error->getMessage(), 0, $error);
        }
    }
}
