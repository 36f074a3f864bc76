<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Client;
use PHPUnit\Framework\TestCase;

/** Tests with a service that runs, the same for all of a class. */
abstract class ServiceTestCase extends TestCase
{
    protected static Daemon $daemon;
    protected Client $client;

    public static function setUpBeforeClass(): void
    {
        self::$daemon = new Daemon();
    }

    public static function tearDownAfterClass(): void
    {
        self::$daemon->stop();
    }

    protected function setUp(): void
    {
        $this->client = self::$daemon->client();
    }

    /** The name of a lock of this test alone. */
    protected function key(string $more = ''): string
    {
        return $this->getName(false) . $more;
    }

    /** Who holds a lock, as the service sees it: refs. */
    protected function holders(string $key): array
    {
        return array_column($this->client->lock($key)['holders'] ?? [], 'ref');
    }

    protected function waiting(string $key): int
    {
        return $this->client->lock($key)['waiting'] ?? 0;
    }

    protected function assertFree(string $key, string $message = ''): void
    {
        $this->assertSame([], $this->holders($key), $message);
    }

    protected function eventuallyFree(string $key, float $patience = 10): void
    {
        eventually(fn (): bool => $this->holders($key) === [], "lock '$key' is free", $patience);
    }

    /**
     * What a call throws.
     *
     * @template E of \Throwable
     * @param class-string<E> $kind
     * @return E
     */
    protected function thrown(string $kind, callable $call): \Throwable
    {
        try {
            $call();
        } catch (\Throwable $error) {
            $this->assertInstanceOf($kind, $error);
            return $error;
        }
        $this->fail("nothing was thrown, where $kind should be");
    }
}
