<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Exception\LeaseLost;
use Leasehold\{Keep, Lease};

/** How long a lease lasts: deaths of holders and of services, stopped processes, forks. */
final class KeepTest extends ServiceTestCase
{
    private const HOLD = "\$l = Lock::acquire('%s', keep: Keep::%s, ttl: %s, client: \$client);
        echo \"has it\\n\"; fgets(STDIN);";

    private function holder(Keep $keep, string $more = ''): Program
    {
        $ttl = $keep === Keep::Renewal ? '0.5' : 'null';
        $program = Program::php(self::$daemon->url(), sprintf(self::HOLD, $this->key(), $keep->name, $ttl) . $more);
        $this->assertSame('has it', $program->line());
        return $program;
    }

    /** @return iterable<string, array{Keep}> */
    public function keeps(): iterable
    {
        foreach ([Keep::Process, Keep::Stream, Keep::Renewal] as $keep) {
            yield $keep->value => [$keep];
        }
    }

    /** @dataProvider keeps */
    public function testAHolderThatIsKilledLeavesNothing(Keep $keep): void
    {
        $holder = $this->holder($keep);
        $this->assertCount(1, $this->holders($this->key()));
        $holder->kill();
        $this->client->acquire($this->key(), wait: 3)->release();
    }

    public function testOnTheCommandLineTheProcessKeepsIt(): void
    {
        $this->assertSame(Keep::Process, $this->client->acquire($this->key('process'))->keep);
        $this->assertSame(Keep::Renewal, $this->client->acquire($this->key('renewal'), ttl: 1)->keep);
        $tcp = new \Leasehold\Client('http://127.0.0.1:' . self::$daemon->port);
        $this->assertSame(Keep::Stream, $tcp->acquire($this->key('stream'))->keep);
    }

    public function testAProcessKeepsItThroughARestartOfTheService(): void
    {
        $lease = $this->client->acquire($this->key());
        self::$daemon->restart();
        $lease->check();
        $this->assertSame([$lease->ref], $this->holders($this->key()));
        self::$daemon->kill();
        $this->assertTrue($lease->isHeld());
        self::$daemon->start();
        $this->assertTrue($lease->release());
        $this->assertFree($this->key());
    }

    public function testAHolderAndTheServiceAreKilledTogether(): void
    {
        $holder = $this->holder(Keep::Process);
        self::$daemon->kill();
        $holder->kill();
        self::$daemon->start();
        $this->eventuallyFree($this->key());
    }

    public function testAStreamIsOverWhenTheServiceStaysAway(): void
    {
        $daemon = new Daemon(['--recovery-grace', '500ms']);
        $lease = $daemon->client()->acquire($this->key(), keep: Keep::Stream);
        $this->assertTrue($lease->isHeld());
        $daemon->kill();
        $this->assertLessThanOrEqual(0.5, $lease->remaining());
        usleep(600000);
        $this->assertFalse($lease->isHeld());
        $this->assertSame('connection-closed', $this->thrown(LeaseLost::class, $lease->check(...))->reason());
        $daemon->start();
        $this->assertFalse($lease->release());
        $daemon->stop();
    }

    public function testACheckBindsAStreamAgainWithinTheGraceOfARestart(): void
    {
        $daemon = new Daemon(['--recovery-grace', '20s', '--heartbeat', '200ms']);
        $client = $daemon->client();
        foreach ([$this->key(), [$this->key(), $this->key('2')]] as $key) {
            $lease = $client->acquire($key, keep: Keep::Stream);
            for ($i = 0; $i < 2; $i++) {
                $daemon->kill();
                $this->assertTrue($lease->isHeld());
                $lease->check();
                $this->assertLessThanOrEqual(20, $lease->remaining());
                $daemon->start();
                $lease->check();
                $this->assertNull($lease->remaining());
            }
            usleep(500000);
            $lease->check();
            $client->call('POST', "/leases/$lease->ref/break", ['reason' => 'maintenance']);
            eventually(static fn (): bool => !$lease->isHeld(), 'the stream tells it');
            $this->assertSame('broken', $lease->lost()->reason());
            $this->assertSame('maintenance', $lease->lost()->breakReason());
        }
        $daemon->stop();
    }

    public function testCheckRenewsWhenAThirdOfTheTtlIsOver(): void
    {
        $lease = $this->client->acquire($this->key(), ttl: 0.6);
        for ($i = 0; $i < 12; $i++) {
            usleep(100000);
            $lease->check();
        }
        $this->assertTrue($lease->release());
    }

    /** @return array{int, int} how often the service was asked to renew one lease, and several */
    private function renewals(): array
    {
        $text = file_get_contents('http://127.0.0.1:' . self::$daemon->port . '/metrics');
        $count = static function (string $operation) use ($text): int {
            preg_match_all("~^leasehold_http_requests_total.*\"$operation\".* (\\d+)$~m", $text, $found);
            return array_sum($found[1]);
        };
        return [$count('renewLease'), $count('renewLeases')];
    }

    public function testSeveralThatAreDueAreRenewedInOneRequest(): void
    {
        $leases = [];
        for ($i = 0; $i < 4; $i++) {
            $leases[] = $this->client->acquire($this->key("$i"), ttl: 3);
        }
        $this->client->call('POST', "/leases/{$leases[3]->ref}/break", ['reason' => 'test']);
        [$alone, $together] = $this->renewals();
        $this->turn($leases);
        eventually(fn (): bool => $this->renewals() === [$alone, $together + 1], 'they are renewed in one request');
        $lost = $this->thrown(LeaseLost::class, $leases[3]->check(...));
        $this->assertSame(['broken', 'test'], [$lost->reason(), $lost->breakReason()]);
        $this->assertGreaterThan(1.5, $leases[2]->remaining());
        $this->client->renewsSeveral = false;
        $this->turn($leases);
        eventually(fn (): bool => $this->renewals() === [$alone + 3, $together + 1], 'they are renewed one by one');
        foreach (array_slice($leases, 0, 3) as $lease) {
            $this->assertTrue($lease->release());
        }
    }

    /** @param list<Lease> $leases which are looked at when they are due */
    private function turn(array $leases): void
    {
        usleep(1200000);
        foreach ($leases as $lease) {
            if ($lease->isHeld()) {
                try {
                    $lease->check();
                } catch (LeaseLost) {
                }
            }
        }
    }

    public function testAServiceThatIsAwayForLongerThanTheTtl(): void
    {
        $lease = $this->client->acquire($this->key(), ttl: 0.5);
        self::$daemon->frozenWhile(function () use ($lease): void {
            $begun = hrtime(true);
            $error = $this->thrown(LeaseLost::class, fn () => $lease->renew());
            $this->assertSame('deadline', $error->reason());
            $this->assertLessThan(0.8, (hrtime(true) - $begun) / 1e9);
        });
    }

    public function testACheckDoesNotWaitLongForAServiceThatIsAway(): void
    {
        foreach ([Keep::Process, Keep::Renewal] as $keep) {
            $ttl = $keep === Keep::Renewal ? 0.9 : null;
            $lease = $this->client->acquire($this->key($keep->value), ttl: $ttl, keep: $keep);
            usleep(350000);
            self::$daemon->frozenWhile(function () use ($lease): void {
                $begun = hrtime(true);
                $lease->check();
                $this->assertLessThan(1.5, (hrtime(true) - $begun) / 1e9);
                $this->assertTrue($lease->isHeld());
            });
            $lease->release();
        }
    }

    public function testAServiceThatIsBackInTime(): void
    {
        $lease = $this->client->acquire($this->key(), ttl: 5);
        self::$daemon->kill();
        $this->assertTrue($lease->isHeld());
        self::$daemon->start();
        $lease->renew();
        $this->assertGreaterThan(4, $lease->remaining());
        $this->assertTrue($lease->release());
    }

    public function testAProcessThatWasStoppedPastItsDeadlineSeesTheLossFirst(): void
    {
        $holder = $this->holder(
            Keep::Renewal, 'echo json_encode([$l->isHeld(), $l->lost()?->reason()]), "\n"; fgets(STDIN);');
        $holder->signal(SIGSTOP);
        $this->client->acquire($this->key(), wait: 5);
        $holder->signal(SIGCONT);
        $holder->write('look');
        $this->assertSame('[false,"deadline"]', $holder->line());
        $holder->kill();
    }

    public function testTheDeadlineIsNeverLaterThanTheServices(): void
    {
        $holder = $this->client->acquire($this->key());
        $waiter = Program::php(self::$daemon->url(), "\$l = Lock::acquire('{$this->key()}', ttl: 3, client: \$client);
            echo \$l->remaining(), \"\\n\"; fgets(STDIN); \$l->renew(); echo \$l->remaining(), \"\\n\"; fgets(STDIN);");
        eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
        usleep(800000);
        $holder->release();
        for ($i = 0; $i < 2; $i++) {
            $remaining = (float) $waiter->line();
            $this->assertLessThan(3, $remaining);
            $this->assertGreaterThan(2.5, $remaining, 'the wait does not count');
            $waiter->write('more');
        }
        $waiter->kill();
    }

    public function testMaxHoldIsTheEnd(): void
    {
        $process = $this->client->acquire($this->key('process'), maxHold: 0.4);
        $renewed = $this->client->acquire($this->key('renewed'), ttl: 0.3, maxHold: 0.5);
        $begun = hrtime(true);
        $process->renew();
        try {
            while (true) {
                usleep(50000);
                $renewed->renew();
            }
        } catch (LeaseLost $error) {
            $this->assertSame('deadline', $error->reason());
        }
        $this->assertEqualsWithDelta(0.5, (hrtime(true) - $begun) / 1e9, 0.15);
        $this->assertFalse($process->isHeld());
    }

    public function testAnOperatorsGraceIsTold(): void
    {
        $lease = $this->client->acquire($this->key());
        $this->client->call('POST', "/leases/$lease->ref/break?after=30s");
        $this->assertNull($lease->breakingIn());
        $lease->check();
        $this->assertEqualsWithDelta(30, $lease->breakingIn(), 2);
        $this->assertTrue($lease->release());
        $short = $this->client->acquire($this->key('short'), ttl: 0.6);
        $this->client->call('POST', "/leases/$short->ref/break?after=500ms&reason=enough");
        usleep(250000);
        $short->check();
        $short->renew(60);
        $this->assertLessThan(1, $short->remaining(), 'renewed no more');
        $this->assertTrue($short->isHeld());
        usleep(300000);
        $this->assertFalse($short->isHeld());
        $this->assertSame(['broken', 'enough'], [$short->lost()->reason(), $short->lost()->breakReason()]);
    }

    /**
     * @requires extension pcntl
     * @dataProvider keeps
     */
    public function testAChildOfAForkHoldsNothing(Keep $keep): void
    {
        $ttl = $keep === Keep::Renewal ? '20' : 'null';
        $parent = Program::php(self::$daemon->url(), "
            \$l = Lock::acquire('{$this->key()}', keep: Keep::{$keep->name}, ttl: $ttl, client: \$client);
            if ((\$child = pcntl_fork()) === 0) {
                echo json_encode([\$l->isHeld(), \$l->lost()->reason(), \$l->release()]), \"\\n\";
                try { \$l->check(); } catch (Exception \$e) { echo get_class(\$e), \"\\n\"; }
                try { Lock::acquire('{$this->key()}', wait: 0, client: \$client); }
                catch (Exception \$e) { echo get_class(\$e), \"\\n\"; }
                exit;
            }
            pcntl_waitpid(\$child, \$status);
            \$l->check();
            echo json_encode(\$l->isHeld()), \"\\n\"; fgets(STDIN);
            echo json_encode(\$l->release()), \"\\n\"; fgets(STDIN);");
        $this->assertSame('[false,"forked",false]', $parent->line());
        $this->assertSame(LeaseLost::class, $parent->line());
        $this->assertSame('Leasehold\Exception\Locked', $parent->line(), 'not its own: of its parent');
        $this->assertSame('true', $parent->line());
        $this->assertCount(1, $this->holders($this->key()));
        $parent->write('on');
        $this->assertSame('true', $parent->line());
        $this->assertFree($this->key());
        $parent->kill();
    }

    /** @requires extension pcntl */
    public function testAStreamEndsWithTheParentWhenTheChildHasUsedTheClient(): void
    {
        $parent = $this->holder(Keep::Stream, 'if (($child = pcntl_fork()) === 0) {
            $client->lock("other"); echo posix_getpid(), "\n"; sleep(30); exit; } fgets(STDIN);');
        $parent->write('fork');
        $child = (int) $parent->line();
        $parent->kill();
        $this->eventuallyFree($this->key(), 3);
        posix_kill($child, SIGKILL);
    }

    public function testALeaseWhoseObjectIsForgottenLasts(): void
    {
        foreach ([Keep::Process, Keep::Stream] as $keep) {
            $holder = Program::php(self::$daemon->url(),
                "Lock::acquire('{$this->key($keep->value)}', keep: Keep::{$keep->name}, client: \$client);
                gc_collect_cycles(); echo \"on\\n\"; fgets(STDIN);");
            $holder->line();
            $this->assertCount(1, $this->holders($this->key($keep->value)));
            $holder->write('end');
            $holder->wait();
            $this->eventuallyFree($this->key($keep->value));
        }
    }
}
