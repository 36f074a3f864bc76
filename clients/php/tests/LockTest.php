<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Exception\{AlreadyHeld, Deadlock, Denied, Invalid, LeaseLost, Locked, Unavailable, WaitTimeout};
use Leasehold\Internal\Address;
use Leasehold\{Client, Keep, Lease, Lock};

final class LockTest extends ServiceTestCase
{
    public function testANoteIsShown(): void
    {
        $lease = $this->client->acquire($this->key(), note: 'begins');
        $this->assertSame('begins', $this->client->lock($this->key())['holders'][0]['note']);
        $lease->note('größer & mehr');
        $this->assertSame('größer & mehr', $this->client->lock($this->key())['holders'][0]['note']);
        $lease->note('');
        $this->assertArrayNotHasKey('note', $this->client->lock($this->key())['holders'][0]);
        $lease->release();
        $this->expectException(LeaseLost::class);
        $lease->note('over');
    }

    public function testItStaysTakenAsLongAsWasAskedFor(): void
    {
        $this->assertTrue($this->client->acquire($this->key(), holdAtLeast: 3600)->release());
        $this->assertSame('kept', $this->client->lock($this->key())['holders'][0]['state']);
        $this->expectException(Locked::class);
        $this->client->acquire($this->key(), wait: 0);
    }

    public function testTheBodyGetsTheLeaseAndItsResultIsReturned(): void
    {
        $result = Lock::with($this->key(), function (Lease $lease): int {
            $this->assertSame([$lease->ref], $this->holders($this->key()));
            $this->assertSame([$this->key()], $lease->keys);
            $this->assertTrue($lease->isHeld());
            return 7;
        }, client: $this->client);
        $this->assertSame(7, $result);
        $this->assertFree($this->key());
    }

    public function testTheLockIsFreeWhenTheBodyThrows(): void
    {
        $error = new \DomainException('of the body');
        $this->assertSame($error, $this->thrown(\DomainException::class, fn () =>
            Lock::with($this->key(), fn () => throw $error, client: $this->client)));
        $this->assertFree($this->key());
    }

    public function testALossLeavesTheBlockUnlessTheBodyThrew(): void
    {
        $break = function (Lease $lease): string {
            $this->client->call('DELETE', "/locks/{$this->key()}?force=true");
            return 'done';
        };
        $lost = $this->thrown(LeaseLost::class, fn () => Lock::with($this->key(), $break, client: $this->client));
        $this->assertSame('lock-removed', $lost->reason());
        $this->assertNotNull($lost->endedAt());
        $this->assertSame('done', Lock::with($this->key(), $break, ignoreLoss: true, client: $this->client));
        $this->thrown(\DomainException::class, fn () => Lock::with($this->key(), function (Lease $lease) use ($break) {
            $break($lease);
            throw new \DomainException();
        }, client: $this->client));
    }

    public function testWhoDoesNotWaitIsToldWhoHasIt(): void
    {
        $holder = Program::php(self::$daemon->url(),
            "Lock::acquire('{$this->key()}', owner: 'ann', client: \$client); echo \"has it\\n\"; fgets(STDIN);");
        $this->assertSame('has it', $holder->line());
        $error = $this->thrown(Locked::class, fn () => $this->client->acquire($this->key(), wait: 0));
        $this->assertSame(['locked', 423], [$error->problem, $error->status]);
        $this->assertSame('ann', $error->holders()[0]['owner']);
        $this->assertSame(0, $error->waiters());
        $this->assertNotEmpty($error->requestId());
        $begun = hrtime(true);
        $this->thrown(WaitTimeout::class, fn () => $this->client->acquire($this->key(), wait: 0.2));
        $this->assertEqualsWithDelta(0.2, (hrtime(true) - $begun) / 1e9, 0.15);
        $holder->kill();
        $this->client->acquire($this->key(), wait: 5)->release();
    }

    public function testReadersShareAndOneBecomesTheWriter(): void
    {
        $first = $this->client->acquire($this->key(), wait: 0, shared: true);
        $second = $this->client->acquire($this->key(), wait: 0, shared: true);
        $this->thrown(AlreadyHeld::class, fn () => $this->client->acquire($this->key(), wait: 0));
        $this->thrown(Locked::class, fn () => $first->convert('exclusive') ?? null);
        $this->assertSame('shared', $first->mode());
        $second->release();
        $first->convert('exclusive', wait: 1);
        $this->assertSame('exclusive', $first->mode());
        $first->release();
    }

    public function testSlotsAndCount(): void
    {
        $first = $this->client->acquire($this->key(), wait: 0, slots: 3, count: 2);
        $other = $this->client->acquire($this->key(), wait: 0, slots: 3);
        $this->thrown(AlreadyHeld::class, fn () => $this->client->acquire($this->key(), wait: 0, slots: 3));
        $this->assertSame('limit-mismatch', $this->thrown(Invalid::class, fn () =>
            $this->client->acquire($this->key(), wait: 0, slots: 4))->problem);
        $this->assertTrue($first->release());
        $this->assertTrue($other->release());
    }

    public function testSlotsWithNames(): void
    {
        $names = ['gpu0', 'gpu1', 'gpu2'];
        $one = $this->client->acquire($this->key(), wait: 0, slots: $names, slot: 'gpu1');
        $this->assertSame(['gpu1', ['gpu1'], 'gpu1'], [$one->slot, $one->slots, $one->env()['LEASEHOLD_SLOT']]);
        $rest = $this->client->acquire($this->key(), wait: 0, slots: $names, count: 2);
        $this->assertEqualsCanonicalizing(['gpu0', 'gpu2'], $rest->slots);
        $this->assertSame($rest->slots[0], $rest->slot);
        foreach ([['a,b'], [], [1]] as $wrong) {
            $this->thrown(Invalid::class, fn () => $this->client->acquire($this->key('2'), slots: $wrong));
        }
        $plain = $this->client->acquire($this->key('3'), slots: 2);
        $this->assertSame([null, []], [$plain->slot, $plain->slots]);
        foreach ([$one, $rest, $plain] as $lease) {
            $this->assertTrue($lease->release());
        }
    }

    public function testSeveralLocksAreOneLease(): void
    {
        [$a, $b] = [$this->key('a'), $this->key('b')];
        $lease = $this->client->acquire([$a, ['key' => $b, 'mode' => 'shared']], wait: 0);
        $this->assertSame([$a, $b], $lease->keys);
        $this->assertSame([$lease->ref], $this->holders($a));
        $reader = $this->client->acquire($b, wait: 0, shared: true);
        $lease->check();
        $this->assertTrue($lease->release());
        $this->assertFree($a);
        $reader->release();
        $this->thrown(Invalid::class, fn () => $this->client->acquire([]));
        $this->thrown(Invalid::class, fn () => $this->client->acquire([$a, $b], shared: true));
    }

    public function testAFenceGrows(): void
    {
        $fences = [];
        for ($i = 0; $i < 3; $i++) {
            $fences[] = Lock::with($this->key(), fn (Lease $lease): int => $lease->fence, client: $this->client);
        }
        $this->assertSame(array_unique($fences), $fences);
        $this->assertSame($fences, [min($fences), $fences[1], max($fences)]);
    }

    public function testAReleaseTellsWhetherItWasHeld(): void
    {
        $lease = $this->client->acquire($this->key());
        $this->assertTrue($lease->release());
        $this->assertFalse($lease->release());
        $this->assertFalse($lease->isHeld());
        $this->assertSame('released', $this->thrown(LeaseLost::class, $lease->check(...))->reason());
        $this->assertNull($lease->lost(), 'what was released was not lost');
        $broken = $this->client->acquire($this->key());
        $this->client->call('POST', "/leases/$broken->ref/break?reason=host%20goes%20down");
        $this->assertFalse($broken->release());
        $this->assertSame('broken', $broken->lost()->reason());
        $this->assertSame('host goes down', $broken->lost()->breakReason());
    }

    public function testALockIsNotReentrant(): void
    {
        $lease = $this->client->acquire($this->key());
        $begun = hrtime(true);
        $this->thrown(AlreadyHeld::class, fn () => $this->client->acquire($this->key()));
        $this->thrown(AlreadyHeld::class, fn () => $this->client->acquire($this->key(), wait: 0));
        $this->assertLessThan(1.0, (hrtime(true) - $begun) / 1e9);
        $lease->release();
    }

    public function testWhoseProgramHoldsItAboveIsToldSo(): void
    {
        $lease = $this->client->acquire($this->key());
        $environment = $lease->env();
        $names = ['LEASEHOLD_LEASE', 'LEASEHOLD_FENCE', 'LEASEHOLD_LOCK', 'LEASEHOLD_HOLDING', 'LEASEHOLD_URL'];
        $this->assertSame($names, array_keys($environment));
        foreach ($environment as $name => $value) {
            putenv("$name=$value");
        }
        try {
            $below = Program::php($environment['LEASEHOLD_URL'], "
                try { Lock::acquire('{$this->key()}', wait: 30); }
                catch (Exception \$e) { echo get_class(\$e), \"\\n\"; }");
            $this->assertSame(AlreadyHeld::class, $below->line());
            $below->wait();
        } finally {
            array_map(putenv(...), array_keys($environment));
        }
        $lease->release();
    }

    public function testTheOwnServiceIsFoundWhereNobodyElseCanPutAnother(): void
    {
        $runtime = sys_get_temp_dir() . '/runtime-' . bin2hex(random_bytes(8));
        $path = "$runtime/leasehold/leasehold.sock";
        mkdir($runtime, 0700);
        mkdir("$runtime/leasehold", 0700);
        [$before, $url] = [getenv('XDG_RUNTIME_DIR'), getenv('LEASEHOLD_URL')];
        putenv("XDG_RUNTIME_DIR=$runtime");
        putenv('LEASEHOLD_URL');
        try {
            $this->assertNotSame($path, (string) Address::find(null));
            $service = stream_socket_server("unix://$path");
            $this->assertSame($path, (string) Address::find(null));
            foreach (["$runtime/leasehold", $runtime] as $openToOthers) {
                chmod($openToOthers, 0755);
                clearstatcache();
                $this->assertNotSame($path, (string) Address::find(null));
                chmod($openToOthers, 0700);
                clearstatcache();
            }
            fclose($service);
            $this->assertNotSame($path, (string) Address::find(null), 'what a service left');
        } finally {
            putenv($before === false ? 'XDG_RUNTIME_DIR' : "XDG_RUNTIME_DIR=$before");
            putenv($url === false ? 'LEASEHOLD_URL' : "LEASEHOLD_URL=$url");
            array_map('unlink', file_exists($path) ? [$path] : []);
            array_map('rmdir', ["$runtime/leasehold", $runtime]);
        }
    }

    public function testLeasesOfAnotherServiceAreNotNamed(): void
    {
        $daemon = new Daemon(['--tombstones', '0']);
        $holder = Program::php(
            $daemon->url(), "Lock::acquire('k', client: \$client); echo \"has it\\n\"; fgets(STDIN);");
        $holder->line();
        $here = $this->client->acquire($this->key());
        $there = $daemon->client()->acquire($this->key());
        $daemon->client()->call('DELETE', '/locks/' . $this->key() . '?force=true');
        putenv('LEASEHOLD_HOLDING=' . $here->id());
        try {
            // The service has forgotten the one, and never knew the other.
            $this->thrown(WaitTimeout::class, fn () => $daemon->client()->acquire('k', wait: 0.1));
            $this->assertFalse($there->isHeld());
            $this->thrown(WaitTimeout::class, fn () => $daemon->client()->acquire('k', wait: 0.1));
        } finally {
            putenv('LEASEHOLD_HOLDING');
        }
        $this->assertTrue($here->release());
        $holder->kill();
        $daemon->stop();
    }

    public function testTwoWhoWaitForEachOther(): void
    {
        [$a, $b] = [$this->key('a'), $this->key('b')];
        $lease = $this->client->acquire($a);
        $other = Program::php(self::$daemon->url(), "
            \$l = Lock::acquire('$b', client: \$client); echo \"has it\\n\";
            \$m = Lock::acquire('$a', wait: 20, client: \$client); echo \"has both\\n\";
            \$m->release(); \$l->release();");
        $this->assertSame('has it', $other->line());
        eventually(fn (): bool => $this->waiting($a) === 1, 'the other waits');
        $error = $this->thrown(Deadlock::class, fn () => $this->client->acquire($b, wait: 20));
        $this->assertCount(2, $error->circle());
        $lease->release();
        $this->assertSame('has both', $other->line());
        $this->assertSame(0, $other->wait());
    }

    public function testTimesThatMakeNoSense(): void
    {
        foreach ([['ttl' => 0.0], ['ttl' => -1.0], ['wait' => -1.0], ['wait' => NAN], ['maxHold' => 0.0],
            ['keep' => Keep::Renewal], ['keep' => Keep::Process, 'ttl' => 1.0]] as $arguments) {
            $this->thrown(Invalid::class, fn () => $this->client->acquire($this->key(), ...$arguments));
        }
        $this->assertSame('ttl', $this->thrown(Invalid::class, fn () =>
            $this->client->acquire($this->key(), ttl: 1e6))->body['parameter']);
        $this->assertFree($this->key());
    }

    public function testATextThatIsNotUTF8IsAnErrorOfTheLibrary(): void
    {
        foreach (['owner', 'note', 'newest'] as $option) {
            $this->thrown(Invalid::class, fn () => $this->client->acquire($this->key(), ...[$option => "caf\xe9"]));
        }
        $lease = $this->client->acquire($this->key(), wait: 0);
        $this->thrown(Invalid::class, fn () => $lease->note("caf\xe9"));
        $this->assertTrue($lease->release());
    }

    public function testTheOwnerAndTheSecret(): void
    {
        $lease = $this->client->acquire($this->key());
        $this->assertMatchesRegularExpression('/^\S+@\S+ phpunit/', $lease->owner);
        $this->assertStringNotContainsString($lease->id(), print_r($lease, true));
        $this->thrown(\LogicException::class, fn () => serialize($lease));
        $lease->release();
        $odd = $this->client->acquire($this->key() . " \u{e9}/?#%", owner: "J\u{fc}rgen");
        $this->assertSame("J\u{fc}rgen", $odd->owner);
        $this->assertTrue($odd->release());
    }

    public function testAddresses(): void
    {
        (new Client('http://127.0.0.1:' . self::$daemon->port))->acquire($this->key(), ttl: 5)->release();
        foreach (['deploy', 'ftp://host', 'unix:relative', 'http://h:1/path'] as $url) {
            $this->thrown(Invalid::class, fn () => new Client($url));
        }
        $gone = new Client('http://127.0.0.1:' . Daemon::freePort(), timeout: 0.2);
        $this->thrown(Unavailable::class, fn () => $gone->acquire($this->key()));
        $this->thrown(Invalid::class, fn () => (new Client(self::$daemon->url()))->call('GET', '/nowhere'));
    }

    /** @requires extension posix */
    public function testASocketThatRefusesNamesItsGroup(): void
    {
        $other = Program::php(self::$daemon->url(), "
            posix_setgid(65534);
            if (!posix_setuid(65534)) { echo \"cannot\\n\"; exit; }
            try { Lock::acquire('k', client: \$client); }
            catch (Exception \$e) { echo get_class(\$e), ' ', \$e->getMessage(), \"\\n\"; }");
        $line = $other->line();
        if ($line === 'cannot') {
            $this->markTestSkipped('only root can become somebody else');
        }
        $this->assertStringStartsWith(Denied::class, $line);
        $this->assertStringContainsString('mode 0660, group root', $line);
        $other->wait();
    }

    public function testAWaitThatIsLongerThanTheServiceLikesIsAskedForPieceByPiece(): void
    {
        $daemon = new Daemon(['--max-wait', '300ms']);
        try {
            $holder = Program::php($daemon->url(),
                "\$l = Lock::acquire('k', client: \$client); echo \"has it\\n\"; fgets(STDIN); \$l->release();");
            $holder->line();
            $begun = hrtime(true);
            $this->thrown(WaitTimeout::class, fn () => $daemon->client()->acquire('k', wait: 0.8));
            $this->assertGreaterThan(0.75, (hrtime(true) - $begun) / 1e9);
            $second = Program::php(
                $daemon->url(), "Lock::acquire('k', client: \$client); echo \"has it\\n\"; fgets(STDIN);");
            usleep(500000);
            $holder->write('now');
            $this->assertSame('has it', $second->line());
            $second->kill();
            $holder->wait();
        } finally {
            $daemon->stop();
        }
    }
}
