<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\{Client, Keep, Lease};
use Leasehold\Exception\{Invalid, LeaseholdException, LeaseLost, Locked, Superseded};

/** What a lock can be asked for besides, and what a living lease can. */
final class FeatureTest extends ServiceTestCase
{
    private const WAYS = [['keep' => Keep::Process], ['keep' => Keep::Stream], ['ttl' => 60.0]];

    private function holder(string $key): array
    {
        return $this->client->lock($key)['holders'][0];
    }

    public function testAllIsSaidToTheService(): void
    {
        $this->client->acquire($this->key(), slots: ['a', 'b'], slot: 'b', cooldown: 5, newest: 'web', owner: 'ann',
            note: 'begins', holdAtLeast: 0.001);
        $seen = $this->holder($this->key());
        $this->assertSame([['b'], 'web', 'ann', 'begins'],
            [$seen['slots'], $seen['newest'], $seen['owner'], $seen['note']]);
        $this->client->call('POST', "/leases/$seen[ref]/break");
        eventually(fn (): bool => $this->client->lock($this->key())['cooling'] === 1, 'it cools down');
        $this->thrown(Invalid::class, fn () => $this->client->acquire($this->key(), cooldown: -1));
    }

    public function testALockGetsAnotherNumberOfSlots(): void
    {
        $lease = $this->client->acquire($this->key(), slots: 1);
        $this->assertSame(3, $this->client->resize($this->key(), 3)['limit']);
        $lease->release();
        $this->assertTrue($this->client->resize($this->key(), 0)['paused']);
        $this->thrown(Locked::class, fn () => $this->client->acquire($this->key(), slots: 3, wait: 0));
        $this->assertTrue($this->client->resize($this->key(), 2, pinned: true)['pinned']);
        $this->assertTrue($this->client->acquire($this->key(), slots: 9)->release());
        $named = $this->client->acquire($this->key('2'), slots: ['a', 'b']);
        $this->assertSame(['a', 'b', 'c'], $this->client->resize($this->key('2'), ['a', 'b', 'c'])['slots']);
        $this->assertTrue($named->release());
        $this->thrown(Invalid::class, fn () => $this->client->resize($this->key(), ['a,b']));
    }

    public function testALockIsAddedToALivingLease(): void
    {
        $taken = Program::php(self::$daemon->url(), "\$client->acquire('taken'); echo \"has\\n\"; fgets(STDIN);");
        $this->assertSame('has', $taken->line());
        foreach (self::WAYS as $way) {
            $lease = $this->client->acquire($this->key(), ...$way);
            for ($time = 0; $time < 2; $time++) { // the second changes nothing
                $lease->add($this->key('2'), ['key' => $this->key('3'), 'slots' => 'x,y', 'slot' => 'y']);
            }
            [$first, $second, $third] = $lease->locks();
            $this->assertSame([$lease->fence, ['y']], [$first['fence'], $third['slots']]);
            $this->assertGreaterThan($lease->fence, $second['fence']);
            $this->assertSame([implode("\n", [$this->key(), $this->key('2'), $this->key('3')]), 'y'],
                [$lease->env()['LEASEHOLD_LOCK'], $lease->env()['LEASEHOLD_SLOT']]);
            $this->thrown(Locked::class, fn () => $lease->add('taken'));
            $this->thrown(Invalid::class, fn () => $lease->add('sysv:0x5150.0'));
            $this->thrown(Invalid::class, fn () => $lease->add());
            $lease->check();
            $this->assertTrue($lease->release());
            $this->eventuallyFree($this->key('3'));
            $this->thrown(LeaseLost::class, fn () => $lease->add('x'));
        }
        $taken->kill();
    }

    public function testItStaysTakenUntilAnEarlyRelease(): void
    {
        foreach (self::WAYS as $way) {
            $lease = $this->client->acquire($this->key(), ...$way, holdAtLeast: 3600);
            $until = $lease->keptUntil();
            $this->assertMatchesRegularExpression('/T.*Z$/', $until);
            $this->assertTrue($lease->release());
            $this->assertFalse($lease->release());
            $this->assertSame(['kept', $until], [$this->holder($this->key())['state'], $lease->keptUntil()]);
            $this->assertFalse($lease->release(early: true));
            $this->assertNull($lease->keptUntil());
            $this->assertFree($this->key());
            $this->assertTrue($this->client->acquire($this->key(), ...$way, holdAtLeast: 3600)->release(early: true));
            $this->assertFree($this->key());
        }
        $this->assertNull($this->client->acquire($this->key('2'))->keptUntil());
    }

    public function testANoteWithARenewal(): void
    {
        $lease = $this->client->acquire($this->key(), ttl: 60);
        $lease->renew(note: 'step 2');
        $this->assertSame('step 2', $this->holder($this->key())['note']);
        $bound = $this->client->acquire($this->key('2'));
        $bound->renew(note: 'step 3');
        $this->assertSame('step 3', $this->holder($this->key('2'))['note']);
        $this->assertTrue($lease->release() && $bound->release());
    }

    public function testTheNewestOfAGroupIsWaitedForAndTheHolderIsAskedToYield(): void
    {
        foreach (self::WAYS as $way) {
            $lease = $this->client->acquire($this->key(), ...$way, newest: 'web');
            $lease->check();
            $this->assertFalse($lease->isAskedToYield());
            $code = "try { \$l = \$client->acquire('{$this->key()}', newest: 'web'); echo \"has\\n\"; fgets(STDIN); }
                catch (Leasehold\\Exception\\Superseded \$error) { echo \$error->problem, PHP_EOL; }";
            $older = Program::php(self::$daemon->url(), $code);
            eventually(fn (): bool => $this->waiting($this->key()) === 1, 'it waits');
            eventually(function () use ($lease): bool {
                $lease->check();
                return $lease->isAskedToYield();
            }, 'it is asked');
            $newer = Program::php(self::$daemon->url(), $code);
            $this->assertSame('superseded', $older->line());
            $this->assertTrue($lease->release());
            $this->assertSame('has', $newer->line());
            $newer->kill();
            $older->kill();
            $this->eventuallyFree($this->key());
        }
    }

    public function testItsProcessIsToBeStoppedBeforeItGoesOn(): void
    {
        $lease = $this->client->acquire($this->key(), maxHold: 3600, stopGrace: 1);
        $seen = $this->holder($this->key());
        $this->assertSame(['term', 1000], [$seen['stop'], $seen['grace_ms']]);
        $this->assertTrue($lease->release());
    }

    public function testASetOfSemaphoresIsMade(): void
    {
        $lease = $this->client->acquire('sysv:0x4c4159.0', create: true, value: 2);
        $this->assertSame(1, $this->client->lock('sysv:0x4c4159.0')['sysv']['value']);
        $several = $this->client->acquire([['key' => 'sysv:0x4c415a.0', 'create' => true], $this->key()]);
        $this->assertSame(0, $this->client->lock('sysv:0x4c415a.0')['sysv']['value']);
        $this->assertTrue($lease->release() && $several->release());
    }

    public function testItEndsWithTheCgroup(): void
    {
        preg_match('/^(?:\S+ ){4}(\S+) .* - cgroup2 /m', (string) file_get_contents('/proc/self/mountinfo'), $found);
        $folder = ($found[1] ?? '') . '/leasehold-php-' . getmypid();
        if ($found === [] || !@mkdir($folder)) {
            $this->markTestSkipped('no cgroup can be made here');
        }
        $program = Program::php(self::$daemon->url(), "file_put_contents('$folder/cgroup.procs', getmypid());
            \$lease = \$client->acquire('{$this->key()}', keep: Keep::Cgroup);
            proc_open(['sleep', '600'], [['file', '/dev/null', 'r'], ['file', '/dev/null', 'w']], \$pipes);
            echo json_encode([\$lease->keep, \$lease->remaining()]), PHP_EOL; posix_kill(getmypid(), SIGKILL);");
        $this->assertSame('["cgroup",null]', $program->line());
        $program->wait();
        $this->assertCount(1, $this->holders($this->key()));
        file_put_contents("$folder/cgroup.kill", '1');
        $this->eventuallyFree($this->key());
        eventually(static fn (): bool => @rmdir($folder), 'the cgroup is removed');
    }

    public function testWhatAServiceCannotDoIsAnError(): void
    {
        foreach (['400 unknown-parameter' => Invalid::class, '501 not-supported' => LeaseholdException::class] as $said => $kind) {
            [$status, $code] = explode(' ', $said);
            $body = json_encode(['code' => $code, 'detail' => 'words', 'parameter' => 'newest']);
            $answer = "HTTP/1.1 $status X\r\nContent-Length: " . strlen($body) . "\r\n\r\n$body";
            $script = '$s = stream_socket_server("tcp://127.0.0.1:0"); echo stream_socket_get_name($s, false), PHP_EOL;
                while ($c = stream_socket_accept($s, 60)) { fread($c, 9999); fwrite($c, ' . var_export($answer, true) . '); }';
            $older = new Program([PHP_BINARY, '-r', $script]);
            $client = new Client('http://' . $older->line());
            $error = $this->thrown($kind, fn () => $client->acquire('a', newest: 'web', ttl: 5));
            $this->assertSame([$kind, $code, (int) $status, 'words'],
                [$error::class, $error->problem, $error->status, $error->getMessage()]);
            $older->kill();
        }
    }
}
