<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Symfony\LeaseholdStore;
use Symfony\Component\Lock\Exception\{InvalidTtlException, LockAcquiringException, LockConflictedException};
use Symfony\Component\Lock\Exception\{LockExpiredException, LockReleasingException, LockStorageException};
use Symfony\Component\Lock\Exception\UnserializableKeyException;
use Symfony\Component\Lock\{Key, LockFactory};

/** Symfony's own code above the store; the cases are those of its tests of stores, and more. */
final class SymfonyStoreTest extends ServiceTestCase
{
    /** @return iterable<string, array{bool}> */
    public function kinds(): iterable
    {
        yield 'with a ttl' => [false];
        yield 'bound' => [true];
    }

    private function store(bool $bound = false, ?float $maxWait = null, float $initialTtl = 300.0): LeaseholdStore
    {
        return new LeaseholdStore($this->client, $initialTtl, $maxWait, $bound);
    }

    private function saved(string $state, LeaseholdStore $store, Key ...$keys): void
    {
        $exist = array_map(static fn (Key $key): int => (int) $store->exists($key), $keys);
        $this->assertSame($state, implode('', $exist));
    }

    private function conflict(callable $call): void
    {
        $this->thrown(LockConflictedException::class, $call);
    }

    /** @dataProvider kinds */
    public function testOneKeyAtATime(bool $bound): void
    {
        $store = $this->store($bound);
        [$first, $second, $other] = [new Key($this->key()), new Key($this->key()), new Key($this->key('other'))];
        $this->saved('000', $store, $first, $second, $other);
        $store->save($first);
        $store->save($other);
        $this->saved('101', $store, $first, $second, $other);
        $this->conflict(fn () => $store->save($second));
        $this->saved('101', $store, $first, $second, $other);
        $store->save($first);
        $store->delete($first);
        $store->save($second);
        $this->saved('011', $store, $first, $second, $other);
        $store->delete($first);
        $this->saved('011', $store, $first, $second, $other);
        $store->delete($second);
        $store->delete($other);
        $this->assertFree($this->key());
    }

    /** @dataProvider kinds */
    public function testReadersShareWritersDoNot(bool $bound): void
    {
        $store = $this->store($bound);
        [$first, $second, $writer] = [new Key($this->key()), new Key($this->key()), new Key($this->key())];
        $store->saveRead($first);
        $store->saveRead($second);
        $this->conflict(fn () => $store->save($writer));
        $this->saved('110', $store, $first, $second, $writer);
        $store->delete($first);
        $this->conflict(fn () => $store->save($writer));
        $store->delete($second);
        $store->save($writer);
        $this->conflict(fn () => $store->saveRead($first));
        $this->saved('001', $store, $first, $second, $writer);
        $store->delete($writer);
    }

    /** @dataProvider kinds */
    public function testPromotionAndDemotionKeepTheLease(bool $bound): void
    {
        $store = $this->store($bound);
        [$first, $second] = [new Key($this->key()), new Key($this->key())];
        $store->saveRead($first);
        $store->saveRead($second);
        $fence = $store->fence($first);
        $this->conflict(fn () => $store->save($first));
        $this->saved('11', $store, $first, $second);
        $store->delete($second);
        $store->save($first);
        $this->conflict(fn () => $store->saveRead($second));
        $this->assertSame('exclusive', $first->getState(LeaseholdStore::class)[1]);
        $store->saveRead($first);
        $store->saveRead($second);
        $this->saved('11', $store, $first, $second);
        $this->assertSame($fence, $store->fence($first));
        $store->delete($first);
        $store->delete($second);
    }

    public function testOfTwoReadersWhoWaitToBecomeTheWriterTheLaterIsRefused(): void
    {
        $reader = Program::php(self::$daemon->url(), "
            \$store = new Leasehold\Symfony\LeaseholdStore(\$client);
            \$key = new Symfony\Component\Lock\Key('{$this->key()}');
            \$store->saveRead(\$key); echo \"reads\\n\"; fgets(STDIN);
            \$store->waitAndSave(\$key); echo \"writes\\n\"; \$store->delete(\$key);");
        $store = $this->store(maxWait: 20);
        $store->saveRead($key = new Key($this->key()));
        $reader->line();
        $reader->write('promote');
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
        $this->conflict(fn () => $store->waitAndSave($key));
        $this->assertTrue($store->exists($key));
        $store->delete($key);
        $this->assertSame('writes', $reader->line());
        $reader->wait();
    }

    /** @dataProvider kinds */
    public function testABlockingAcquireWaitsForAnotherProcess(bool $bound): void
    {
        $flag = $bound ? 'true' : 'false';
        $other = Program::php(self::$daemon->url(), "
            \$store = new Leasehold\Symfony\LeaseholdStore(\$client, bound: $flag);
            \$key = new Symfony\Component\Lock\Key('{$this->key()}');
            \$store->save(\$key); echo \"has it\\n\"; fgets(STDIN); usleep(200000); \$store->delete(\$key);");
        $other->line();
        $store = $this->store($bound, maxWait: 0.2);
        $begun = hrtime(true);
        $this->conflict(fn () => $store->waitAndSave(new Key($this->key())));
        $this->conflict(fn () => $store->waitAndSaveRead(new Key($this->key())));
        $this->assertEqualsWithDelta(0.4, (hrtime(true) - $begun) / 1e9, 0.3);
        $other->write('now');
        $endless = $this->store($bound);
        $endless->waitAndSaveRead($key = new Key($this->key()));
        $endless->waitAndSave($key);
        $this->assertTrue($endless->exists($key));
        $endless->delete($key);
        $this->assertSame(0, $other->wait());
    }

    public function testABlockedProgramThatIsKilledFreesABoundLock(): void
    {
        $holder = Program::php(self::$daemon->url(), "
            \$store = new Leasehold\Symfony\LeaseholdStore(\$client, bound: true);
            \$store->save(new Symfony\Component\Lock\Key('{$this->key()}')); echo \"has it\\n\"; fgets(STDIN);");
        $holder->line();
        $this->conflict(fn () => $this->store()->save(new Key($this->key())));
        $holder->kill();
        $store = $this->store(maxWait: 5);
        $store->waitAndSave($key = new Key($this->key()));
        $store->delete($key);
    }

    public function testASerializedKeyIsFinishedByAnotherProcess(): void
    {
        $store = $this->store();
        $store->save($key = new Key($this->key()));
        $other = Program::php(self::$daemon->url(), '
            $key = unserialize(base64_decode(trim(fgets(STDIN))));
            $store = new Leasehold\Symfony\LeaseholdStore($client);
            echo json_encode([$store->exists($key), $store->fence($key)]), "\n";
            $store->putOffExpiration($key, 60); $store->saveRead($key); $store->save($key); $store->delete($key);
            echo "done\n";');
        $other->write(base64_encode(serialize($key)));
        $this->assertSame(json_encode([true, $store->fence($key)]), $other->line());
        $this->assertSame('done', $other->line());
        $this->assertFalse($store->exists($key));
        $this->assertFree($this->key());
        $this->assertFalse($key->hasState(LeaseholdStore::class));
        $other->wait();
    }

    public function testWhoHandedAKeyOnMayWaitForItsLock(): void
    {
        $store = $this->store(maxWait: 10);
        $store->save($key = new Key($this->key()));
        $other = Program::php(self::$daemon->url(), '
            $key = unserialize(base64_decode(trim(fgets(STDIN)))); usleep(200000);
            (new Leasehold\Symfony\LeaseholdStore($client))->delete($key);');
        $other->write(base64_encode(serialize($key)));
        $store->waitAndSave($next = new Key($this->key()));
        $this->saved('01', $store, $key, $next);
        $store->delete($next);
        $other->wait();
    }

    public function testABoundKeyOfThisProgramIsNotWaitedFor(): void
    {
        $store = $this->store(bound: true);
        $store->save($key = new Key($this->key()));
        $this->conflict(fn () => $store->waitAndSave(new Key($this->key())));
        $store->delete($key);
    }

    public function testABoundKeyCannotBeSerialized(): void
    {
        $store = $this->store(bound: true);
        $store->save($key = new Key($this->key()));
        $this->thrown(UnserializableKeyException::class, fn () => serialize($key));
        $store->delete($key);
    }

    /** @dataProvider kinds */
    public function testExpiration(bool $bound): void
    {
        $store = $this->store($bound);
        $store->save($key = new Key($this->key()));
        $this->assertSame($bound, $key->getRemainingLifetime() === null);
        $key->resetLifetime();
        $store->putOffExpiration($key, 0.3);
        $this->assertTrue($store->exists($key));
        $this->assertLessThanOrEqual(0.3, $key->getRemainingLifetime());
        usleep(150000);
        $this->assertTrue($store->exists($key));
        usleep(200000);
        $this->assertFalse($store->exists($key), 'a question is no refresh');
        $this->assertFalse($key->hasState(LeaseholdStore::class));
        $this->conflict(fn () => $store->putOffExpiration($key, 10));
        $store->save($next = new Key($this->key()));
        $key->resetLifetime();
        $this->conflict(fn () => $store->save($key));
        $store->delete($next);
        $store->save($key);
        $this->assertTrue($store->exists($key));
        $store->delete($key);
    }

    public function testAKeyThatIsExpiredIsNotStored(): void
    {
        $store = $this->store();
        $store->save($key = new Key($this->key()));
        $this->thrown(LockExpiredException::class, fn () => $store->putOffExpiration($key, 1e-6));
        $this->assertFree($this->key());
        $key->reduceLifetime(0);
        $this->thrown(LockExpiredException::class, fn () => $store->save($key));
        $this->saved('0', $store, $key);
        $store->save($other = new Key($this->key()));
        $this->saved('1', $store, $other);
        $this->thrown(InvalidTtlException::class, fn () => $store->putOffExpiration($other, 1e6));
        $this->thrown(InvalidTtlException::class, fn () => $this->store(initialTtl: 0));
        $store->delete($other);
    }

    public function testALeaseThatWasBrokenIsAConflictAtTheNextRefresh(): void
    {
        $store = $this->store();
        $store->save($key = new Key($this->key()));
        $this->client->call('DELETE', "/locks/{$this->key()}?force=true");
        $this->conflict(fn () => $store->putOffExpiration($key, 10));
        $this->assertFalse($key->hasState(LeaseholdStore::class));
        $store->save($key);
        $fence = $store->fence($key);
        $this->client->call('DELETE', "/locks/{$this->key()}?force=true");
        $store->save($key);
        $this->assertGreaterThan($fence, $store->fence($key), 'who asks anew for what it lost gets a new lease');
        $store->delete($key);
    }

    /** @dataProvider kinds */
    public function testTheFactorysLocks(bool $bound): void
    {
        $factory = new LockFactory($this->store($bound, maxWait: 0.1));
        $lock = $factory->createLock($this->key(), 0.9);
        $this->assertTrue($lock->acquire());
        $this->assertFalse($factory->createLock($this->key())->acquire());
        $this->conflict(fn () => $factory->createLock($this->key())->acquire(true));
        usleep(500000);
        $lock->refresh();
        usleep(600000);
        $this->assertTrue($lock->isAcquired());
        $this->assertFalse($lock->isExpired());
        $lock->release();
        $this->assertFalse($lock->isAcquired());
        $again = $factory->createLock($this->key(), 5);
        $this->assertTrue($again->acquireRead());
        $this->assertTrue($again->acquire(true));
        unset($again);
        $this->assertFree($this->key(), 'released when its object goes');
    }

    public function testTheServiceIsAway(): void
    {
        $daemon = new Daemon();
        $store = new LeaseholdStore($daemon->client(0.2));
        $factory = new LockFactory($store);
        $lock = $factory->createLock('a', autoRelease: false);
        $lock->acquire();
        $store->save($key = new Key('b'));
        $daemon->kill();
        $this->assertTrue($store->exists($key), 'nothing ended it that anybody knows of');
        $this->thrown(LockStorageException::class, fn () => $store->save(new Key('c')));
        $this->thrown(LockAcquiringException::class, fn () => $factory->createLock('c')->acquire());
        $this->thrown(LockReleasingException::class, fn () => $store->delete($key));
        $daemon->start();
        $lock->release();
        $this->assertSame([], $daemon->client()->lock('b')['holders'] ?? [], 'told with the next request');
        $daemon->stop();
    }

    /** @requires extension pcntl */
    public function testAChildOfAForkDoesNotReleaseItsParentsLock(): void
    {
        $parent = Program::php(self::$daemon->url(), "
            \$factory = new Symfony\Component\Lock\LockFactory(new Leasehold\Symfony\LeaseholdStore(\$client));
            \$lock = \$factory->createLock('{$this->key()}'); \$lock->acquire();
            if ((\$child = pcntl_fork()) === 0) { echo json_encode(\$lock->isAcquired()), \"\\n\"; exit; }
            pcntl_waitpid(\$child, \$status);
            echo json_encode(\$lock->isAcquired()), \"\\n\"; fgets(STDIN);");
        $this->assertSame('false', $parent->line());
        $this->assertSame('true', $parent->line());
        $this->assertCount(1, $this->holders($this->key()));
        $parent->kill();
    }

    public function testResourcesThatCannotBeNames(): void
    {
        $store = $this->store();
        foreach ([str_repeat('a', 300), "line\nbreak", '.', '', "\u{200d}", "\xff", 'a b/c?d#e%'] as $resource) {
            $store->save($key = new Key($resource));
            $this->conflict(fn () => $store->save(new Key($resource)));
            $this->saved('1', $store, $key);
            $store->saveRead($key);
            $store->delete($key);
        }
        $store->save($key = new Key('a b/c'));
        $this->assertCount(1, $this->holders('a b/c'));
        $store->delete($key);
    }
}
