#!/usr/bin/env php
<?php

// Drives the library by lines of JSON: see ../conformance/run.py.

declare(strict_types=1);

use Leasehold\Exception\{AlreadyHeld, Deadlock, Denied, Invalid, KernelLimit, LeaseholdException, LeaseLost, Locked};
use Leasehold\Exception\{Unavailable, WaitTimeout};
use Leasehold\{Client, Keep, Lease};

require __DIR__ . '/autoload.php';

/** What the handler of a signal throws. */
final class Canceled extends RuntimeException
{
}

/** The program: leases by name, and what it does with them. */
final class Driver
{
    private const KINDS = [
        WaitTimeout::class => 'wait-timeout', Locked::class => 'locked', AlreadyHeld::class => 'already-held',
        Deadlock::class => 'deadlock', LeaseLost::class => 'lease-lost', Denied::class => 'denied',
        Unavailable::class => 'unavailable', KernelLimit::class => 'kernel-limit', Invalid::class => 'invalid',
        Canceled::class => 'canceled',
    ];

    /** @var array<string, Lease> */
    private array $leases = [];
    /** @var array<string, array{float, float}> of leases with a ttl: when they are looked at next, and how often */
    private array $looks = [];
    /** @var array<string, Client> */
    private array $clients = [];
    private bool $isCancelable = false;

    public function __construct()
    {
        pcntl_async_signals(true);
        pcntl_signal(SIGUSR1, function (): void {
            if ($this->isCancelable) {
                throw new Canceled('canceled');
            }
        });
    }

    public function run(): void
    {
        $rest = '';
        while (true) {
            if (($end = strpos($rest, "\n")) !== false) {
                [$line, $rest] = [substr($rest, 0, $end), substr($rest, $end + 1)];
                echo json_encode($this->answer(json_decode($line, true))), "\n";
                continue;
            }
            [$read, $none] = [[STDIN], null];
            if (@stream_select($read, $none, $none, 0, 20000)) {
                $bytes = fread(STDIN, 65536);
                if ($bytes === '' || $bytes === false) {
                    return;
                }
                $rest .= $bytes;
            }
            $this->look();
        }
    }

    /** A clock that no step of the other one moves, in seconds. */
    private static function now(): float
    {
        return hrtime(true) / 1e9;
    }

    /** What a program does in its loop: nobody else renews for it, or tells the service what it missed. */
    private function look(): void
    {
        array_map(static fn (Client $client): bool => $client->settle(), $this->clients);
        foreach ($this->looks as $name => [$next, $pause]) {
            if (self::now() < $next || !$this->leases[$name]->isHeld()) {
                continue;
            }
            try {
                $this->looks[$name] = [self::now() + $pause, $pause];
                $this->leases[$name]->check();
            } catch (LeaseholdException) {
                // Its state tells.
            }
        }
    }

    /** @param array<string, mixed> $command */
    private function answer(array $command): array
    {
        try {
            return ['ok' => true] + match ($command['do']) {
                'hello' => ['client' => 'php', 'keeps' => ['process', 'stream', 'renewal'], 'wall' => microtime(true)],
                'acquire' => $this->acquire($command),
                'state' => $this->state($this->leases[$command['as']]),
                'check' => $this->leases[$command['as']]->check() ?? [],
                'wait_lost' => $this->waitLost($this->leases[$command['as']], $command['timeout']),
                'renew' => $this->leases[$command['as']]->renew() ?? [],
                'release' => ['held' => $this->leases[$command['as']]->release()],
                'sleep' => $this->sleep($command['seconds']),
                default => throw new UnhandledMatchError("there is no $command[do]"),
            };
        } catch (UnhandledMatchError $error) {
            return ['ok' => false, 'error' => 'unsupported', 'code' => null, 'message' => $error->getMessage()];
        } catch (Throwable $error) {
            $isOne = static fn (string $kind): bool => $error instanceof $kind;
            $kinds = array_filter(self::KINDS, $isOne, ARRAY_FILTER_USE_KEY);
            return ['ok' => false, 'error' => reset($kinds) ?: 'other', 'code' => ($error->problem ?? '') ?: null,
                'message' => $error->getMessage(), 'reason' => $error instanceof LeaseLost ? $error->reason() : null];
        }
    }

    private function acquire(array $command): array
    {
        $timeout = (float) ($command['timeout'] ?? 5.0);
        $client = $this->clients[(string) $timeout] ??= new Client(timeout: $timeout);
        $seconds = static fn (string $name): ?float => isset($command[$name]) ? (float) $command[$name] : null;
        $canceler = $this->cancelAfter($seconds('cancel_after'));
        $lease = null;
        try {
            // PHP may call the handler on the way from the end of a try to its finally, past its catch.
            try {
                $lease = $client->acquire(
                    $command['keys'] ?? $command['key'], $seconds('wait'), $command['shared'] ?? false,
                    $command['slots'] ?? null, $command['count'] ?? 1, $seconds('ttl'), $seconds('max_hold'),
                    keep: Keep::from($command['keep'] ?? 'auto'));
            } finally {
                $this->isCancelable = false;
                if ($canceler !== null) {
                    proc_terminate($canceler, SIGKILL);
                }
            }
        } catch (Canceled $canceled) {
            // The signal may have come when all was done.
            $lease?->release();
            throw $canceled;
        }
        $this->leases[$command['as']] = $lease;
        if ($lease->keep !== Keep::Process) {
            // Within a ttl, and within the grace of a restart.
            $this->looks[$command['as']] = [self::now(), ($command['ttl'] ?? 1.5) / 3];
        }
        return ['fence' => $lease->fence, 'ref' => $lease->ref, 'keep' => $lease->keep->value];
    }

    /** @return resource|null what will send the signal */
    private function cancelAfter(?float $seconds)
    {
        if ($seconds === null) {
            return null;
        }
        $this->isCancelable = true;
        $command = ['sh', '-c', sprintf('sleep %F; kill -USR1 %d', $seconds, getmypid())];
        return proc_open($command, array_fill(0, 3, ['file', '/dev/null', 'r+']), $pipes);
    }

    private function state(Lease $lease): array
    {
        return ['held' => $lease->isHeld(), 'remaining' => $lease->remaining(), 'reason' => $lease->lost()?->reason()];
    }

    private function waitLost(Lease $lease, float $timeout): array
    {
        $end = self::now() + $timeout;
        while ($lease->isHeld() && self::now() < $end) {
            try {
                $lease->check();
                usleep(20000);
            } catch (LeaseLost) {
            }
        }
        return ['lost' => $lease->lost() !== null, 'reason' => $lease->lost()?->reason()];
    }

    private function sleep(float $seconds): array
    {
        $end = self::now() + $seconds;
        while (($left = $end - self::now()) > 0) {
            usleep((int) (min(0.02, $left) * 1e6));
            $this->look();
        }
        return [];
    }
}

(new Driver())->run();
