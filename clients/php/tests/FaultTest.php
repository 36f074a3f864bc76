<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Client;
use Leasehold\Exception\{Invalid, Unavailable};
use Leasehold\Keep;

/** What is lost on the way: answers, requests, connections. */
final class FaultTest extends ServiceTestCase
{
    private ?Program $cutter = null;

    protected function tearDown(): void
    {
        $this->cutNothingMore();
    }

    private function cutNothingMore(): void
    {
        $this->cutter?->kill();
        $this->cutter = null;
    }

    /** A client whose connections are spoilt, one after the other; see cutter.php. */
    private function spoilt(array $how, float $timeout = 5.0): Client
    {
        $this->cutNothingMore();
        $socket = self::$daemon->folder . '/cut';
        @unlink($socket);
        $this->cutter = new Program([PHP_BINARY, __DIR__ . '/cutter.php', $socket, self::$daemon->socket, ...$how]);
        eventually(fn (): bool => file_exists($socket), 'the cutter listens');
        return new Client("unix:$socket", timeout: $timeout);
    }

    /** @return iterable<string, array{Keep}> */
    public function keeps(): iterable
    {
        foreach ([Keep::Process, Keep::Stream, Keep::Renewal] as $keep) {
            yield $keep->value => [$keep];
        }
    }

    /** @dataProvider keeps */
    public function testAnAnswerThatIsCutAnywhereCostsNothing(Keep $keep): void
    {
        $ttl = $keep === Keep::Renewal ? 20.0 : null;
        foreach ([0, 1, 12, 200, 600] as $count) {
            $client = $this->spoilt(["answer:$count", 'request:5']);
            $lease = $client->acquire($this->key(), wait: 5, ttl: $ttl, keep: $keep);
            $this->assertSame([$lease->ref], $this->holders($this->key()), "after $count bytes");
            $lease->check();
            $this->assertTrue($lease->release());
            $this->assertFree($this->key());
        }
    }

    public function testAnAnswerThatIsCutWhileItWaitsKeepsThePlace(): void
    {
        $holder = Program::php(self::$daemon->url(), "\$l = Lock::acquire('{$this->key()}', client: \$client);
            echo \"has it\\n\"; fgets(STDIN); \$l->release();");
        $holder->line();
        $this->spoilt(['mute', '-']);
        $first = Program::php('unix:' . self::$daemon->folder . '/cut',
            "\$l = Lock::acquire('{$this->key()}', wait: 20, client: \$client);
            echo 'first', \"\\n\"; fgets(STDIN); \$l->release();");
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'the first waits');
        $second = Program::php(self::$daemon->url(),
            "Lock::acquire('{$this->key()}', wait: 20, client: \$client); echo 'second', \"\\n\"; fgets(STDIN);");
        eventually(fn (): bool => $this->waiting($this->key()) === 2, 'the second waits');
        $holder->write('now');
        $holder->wait();
        // The grant went to the first, and its answer nowhere.
        usleep(100000);
        $this->assertSame(1, $this->waiting($this->key()));
        $this->spoilt([]);
        $this->assertSame('first', $first->line());
        $first->write('now');
        $this->assertSame('second', $second->line());
        $second->kill();
        $first->wait();
    }

    public function testAWaitBehindAProxyThatWentSilentGoesOn(): void
    {
        $holder = Program::php(self::$daemon->url(), "\$l = Lock::acquire('{$this->key()}', client: \$client);
            echo \"has it\\n\"; fgets(STDIN); \$l->release();");
        $holder->line();
        $this->spoilt(['mute']);
        $first = Program::php('unix:' . self::$daemon->folder . '/cut', "
            Leasehold\Internal\Transport::\$lookAfter = 0.3;
            \$l = Lock::acquire('{$this->key()}', client: \$client); echo \"first\\n\"; fgets(STDIN); \$l->release();");
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'the first waits');
        $second = Program::php(self::$daemon->url(),
            "Lock::acquire('{$this->key()}', wait: 20, client: \$client); echo \"second\\n\"; fgets(STDIN);");
        eventually(fn (): bool => $this->waiting($this->key()) === 2, 'the second waits');
        usleep(630000); // about when the place is asked for again
        $holder->write('now');
        $this->assertSame('first', $first->line(), 'it has kept its place');
        $first->write('now');
        $this->assertSame('second', $second->line());
        array_map(static fn (Program $program) => $program->kill(), [$first, $second, $holder]);
    }

    public function testAWaitForAServiceThatStandsStillEndsBeforeItsTime(): void
    {
        [$lease, $url] = [$this->client->acquire($this->key()), self::$daemon->url()];
        $waiter = Program::php($url, "
            Leasehold\Internal\Transport::\$lookAfter = 1.2; \$client = new Client('$url', timeout: 0.4);
            try { Lock::acquire('{$this->key()}', wait: 60, client: \$client); }
            catch (Exception \$e) { echo get_class(\$e), \"\\n\"; }");
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
        self::$daemon->frozenWhile(fn () => $this->assertSame(Unavailable::class, $waiter->line()));
        $waiter->wait();
        $lease->release();
    }

    public function testReleasesAndRenewalsAreSentAgain(): void
    {
        foreach (['answer:0', 'answer:30', 'request:20'] as $how) {
            $client = $this->spoilt(['-', $how, $how, $how]);
            $lease = $client->acquire($this->key(), wait: 0, ttl: 10);
            // Each closed the connection, so that the next is spoilt.
            $this->cutAll($client);
            $lease->renew(20);
            $this->assertGreaterThan(15, $lease->remaining(), $how);
            $this->assertTrue($lease->release(), $how);
            $this->assertFree($this->key());
        }
    }

    public function testAServiceThatGoesSilentIsWaitedForNoLongerThanItsTimeout(): void
    {
        $client = $this->spoilt(array_fill(0, 50, 'silent'), timeout: 0.4);
        $begun = hrtime(true);
        $error = $this->thrown(Unavailable::class, fn () => $client->acquire($this->key(), wait: 0.3));
        $this->assertSame(0, $error->status);
        $this->assertEqualsWithDelta(0.9, (hrtime(true) - $begun) / 1e9, 0.5);
        $this->assertFree($this->key());
    }

    public function testAnAcquireWithoutAnAnswerIsTakenBackWhenTheServiceAnswersAgain(): void
    {
        $client = $this->spoilt(['mute'], timeout: 0.3);
        $this->thrown(Unavailable::class, fn () => $client->acquire($this->key(), wait: 0));
        $this->assertCount(1, $this->holders($this->key()), 'it was granted, and nobody knows');
        $client->acquire($this->key('other'), wait: 0)->release();
        $this->assertFree($this->key());
    }

    public function testAReleaseWithoutAnAnswerIsSentWithTheNextRequest(): void
    {
        $client = $this->spoilt([], timeout: 0.3);
        $lease = $client->acquire($this->key(), wait: 0);
        $this->cutNothingMore();
        $begun = hrtime(true);
        $this->assertTrue($lease->release(), 'as far as anybody knows');
        $this->assertLessThan(2.5, (hrtime(true) - $begun) / 1e9);
        $this->assertFalse($client->settle());
        $this->assertCount(1, $this->holders($this->key()));
        unlink(self::$daemon->folder . '/cut');
        $socket = self::$daemon->folder . '/cut';
        symlink(self::$daemon->socket, $socket);
        $this->assertTrue($client->settle());
        $this->assertFree($this->key());
    }

    public function testASignalsHandlerEndsAWait(): void
    {
        $holder = Program::php(self::$daemon->url(), "\$l = Lock::acquire('{$this->key()}', client: \$client);
            echo \"has it\\n\"; fgets(STDIN); \$l->release();");
        $holder->line();
        $canceled = Program::php(self::$daemon->url(), "
            pcntl_async_signals(true);
            pcntl_signal(SIGUSR1, function () { throw new DomainException('canceled'); });
            try { Lock::acquire('{$this->key()}', client: \$client); }
            catch (DomainException \$e) { echo \$e->getMessage(), \"\\n\"; }
            fgets(STDIN);");
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
        $canceled->signal(SIGUSR1);
        $this->assertSame('canceled', $canceled->line());
        $this->assertSame(0, $this->waiting($this->key()));
        $holder->write('now');
        $holder->wait();
        $this->assertFree($this->key());
        $canceled->kill();
    }

    public function testACancellationAroundTheGrantLeavesNoSlot(): void
    {
        $waiter = Program::php(self::$daemon->url(), "
            pcntl_async_signals(true);
            pcntl_signal(SIGUSR1, function () { throw new DomainException(); });
            while (fgets(STDIN)) {
                \$l = null;
                try {
                    try {
                        echo \"waits\\n\";
                        \$l = Lock::acquire('{$this->key()}', client: \$client);
                        \$l->release();
                        usleep(50000);
                    } finally {
                        \$l?->release();
                    }
                } catch (DomainException) { }
                \$l?->release();
                echo \"free\\n\";
            }");
        for ($i = 0; $i < 20; $i++) {
            $lease = $this->client->acquire($this->key(), wait: 5);
            $waiter->write('go');
            $this->assertSame('waits', $waiter->line());
            eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
            $lease->release();
            usleep($i * 30);
            $waiter->signal(SIGUSR1);
            $this->assertSame('free', $waiter->line());
            $this->assertFree($this->key(), "round $i");
        }
        $waiter->kill();
    }

    public function testASignalAtTheEndOfTheBodyLeavesNoSlot(): void
    {
        // A comparison lets no handler in: it is called in what comes after the body.
        $works = Program::php(self::$daemon->url(), "
            pcntl_async_signals(true);
            pcntl_signal(SIGUSR1, function () { throw new DomainException(); });
            [\$a, \$b] = [str_repeat('a', 40000000), str_repeat('a', 40000000)];
            while (fgets(STDIN)) {
                try {
                    try {
                        Lock::with('{$this->key()}', function () use (\$a, \$b) { echo \"works\\n\"; return \$a === \$b; },
                            client: \$client);
                    } finally {
                        usleep(50000);
                    }
                } catch (DomainException) { }
                echo \"free\\n\";
            }");
        for ($i = 0; $i < 20; $i++) {
            $works->write('go');
            $this->assertSame('works', $works->line());
            $works->signal(SIGUSR1);
            $this->assertSame('free', $works->line());
            $this->assertFree($this->key(), "round $i");
        }
        $works->kill();
    }

    public function testAReleaseIsDoneBeforeTheHandlerOfASignal(): void
    {
        $this->spoilt(['once', 'silent']);
        $url = 'unix:' . self::$daemon->folder . '/cut';
        $releases = Program::php($url, "
            \$client = new Client('$url', timeout: 0.5);
            pcntl_async_signals(true);
            pcntl_signal(SIGUSR1, function () { throw new DomainException('canceled'); });
            \$l = Lock::acquire('{$this->key()}', client: \$client);
            echo \"has it\\n\";
            try { \$l->release(); } catch (DomainException \$e) { echo \$e->getMessage(), \"\\n\"; } fgets(STDIN);");
        $this->assertSame('has it', $releases->line());
        usleep(200000);
        $releases->signal(SIGUSR1);
        $this->assertCount(1, $this->holders($this->key()));
        $this->assertSame('canceled', $releases->line());
        $this->assertFree($this->key());
        $releases->kill();
    }

    public function testAServiceThatCannotBindProcessesGetsAStreamAndIsRemembered(): void
    {
        $client = $this->spoilt(['problem:no-such-process']);
        $first = $client->acquire($this->key('first'));
        $this->assertSame(Keep::Stream, $first->keep);
        $this->assertSame(Keep::Stream, $client->acquire($this->key('second'))->keep);
        $this->assertSame([$first->ref], $this->holders($this->key('first')));
        $client = $this->spoilt(['problem:no-such-process']);
        $this->assertSame('no-such-process', $this->thrown(Invalid::class, fn () =>
            $client->acquire($this->key(), keep: Keep::Process))->problem);
    }

    public function testWhatTheServiceCouldNotDeliverIsAskedForAgain(): void
    {
        $lease = $this->spoilt(['problem:undelivered'])->acquire($this->key(), wait: 0);
        $this->assertSame([$lease->ref], $this->holders($this->key()));
        $lease->release();
    }

    public function testAServiceThatStopsIsTriedAgainAndOneThatIsFullIsNot(): void
    {
        $this->spoilt(['problem:draining'])->acquire($this->key(), wait: 0)->release();
        $client = $this->spoilt(['problem:too-many-waiters']);
        $error = $this->thrown(Unavailable::class, fn () => $client->acquire($this->key(), wait: 0));
        $this->assertSame(['too-many-waiters', 429], [$error->problem, $error->status]);
        $this->assertFree($this->key());
    }

    public function testAServiceWithoutRoomForAConnectionIsTriedAgain(): void
    {
        $lease = $this->spoilt(['problem:too-many-connections'])->acquire($this->key(), wait: 0);
        $this->assertTrue($lease->release());
        foreach (['caller-limit', 'too-many-connections'] as $code) {
            // Its first connection is closed with the first request after the grant; the release finds no room.
            $client = $this->spoilt(['once', "problem:$code", "problem:$code"]);
            $lease = $client->acquire($this->key(), wait: 0);
            $this->assertTrue($lease->release(), $code);
            $this->assertFree($this->key());
        }
    }

    private function cutAll(Client $client): void
    {
        $this->thrown(Invalid::class, fn () => $client->call('GET', '/nowhere'));
        usleep(1000);
    }
}
