<?php

declare(strict_types=1);

namespace Leasehold\Tests;

/** A worker of a web server outlives its requests: a lock must not. */
final class WebTest extends ServiceTestCase
{
    public function testALockEndsWithItsRequestHoweverThatEnds(): void
    {
        $port = Daemon::freePort();
        $seen = self::$daemon->folder . '/seen';
        $environment = ['LEASEHOLD_URL' => self::$daemon->url(), 'SEEN' => $seen] + getenv();
        $server = proc_open([PHP_BINARY, '-d', 'display_errors=0', '-S', "127.0.0.1:$port", __DIR__ . '/web.php'],
            array_fill(0, 3, ['file', '/dev/null', 'r+']), $pipes, null, $environment);
        try {
            eventually(fn (): bool => @fsockopen('127.0.0.1', $port) !== false, 'the web server listens');
            $workers = [];
            foreach (['forget', 'background', 'exit', 'throw', 'memory', 'time', 'release'] as $how) {
                $context = stream_context_create(['http' => ['ignore_errors' => true, 'timeout' => 20]]);
                @file_get_contents("http://127.0.0.1:$port/?$how", false, $context);
                $answer = json_decode((string) file_get_contents($seen), true);
                unlink($seen);
                $this->assertSame('stream', $answer['keep'], $how);
                $this->eventuallyFree('web', 2);
                $workers[] = $answer['pid'];
            }
            $this->assertCount(1, array_unique($workers), 'the same worker did all');
        } finally {
            proc_terminate($server, SIGKILL);
            proc_close($server);
        }
    }
}
