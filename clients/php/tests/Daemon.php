<?php

declare(strict_types=1);

namespace Leasehold\Tests;

use Leasehold\Client;
use Leasehold\Exception\LeaseholdException;

/** A service of our own, with a socket, a port and a control key of its own. */
final class Daemon
{
    public readonly string $folder;
    public readonly string $socket;
    public readonly int $port;
    /** @var resource|null */
    private $process = null;
    private static int $count = 0;
    private readonly string $controlKey;
    private readonly int $owner;

    /** @param list<string> $arguments */
    public function __construct(private readonly array $arguments = [])
    {
        $this->folder = sys_get_temp_dir() . '/leasehold-php-' . getmypid() . '-' . ++self::$count;
        $this->owner = (int) getmypid();
        mkdir($this->folder, 0755);
        $this->socket = "$this->folder/socket";
        $this->port = self::freePort();
        $this->controlKey = sprintf('0x4c48%04x', self::$count);
        $this->start();
        // However this program ends, and whatever fails in it.
        register_shutdown_function(function (): void {
            if ($this->process !== null && getmypid() === $this->owner) {
                proc_terminate($this->process, SIGKILL);
            }
        });
    }

    public static function program(): string
    {
        return getenv('LEASEHOLD') ?: throw new \RuntimeException('LEASEHOLD names no program');
    }

    public static function freePort(): int
    {
        $probe = stream_socket_server('tcp://127.0.0.1:0');
        $name = stream_socket_get_name($probe, false);
        return (int) substr($name, strrpos($name, ':') + 1);
    }

    public function url(): string
    {
        return "unix:$this->socket";
    }

    public function client(float $timeout = 5.0): Client
    {
        return new Client($this->url(), timeout: $timeout);
    }

    public function start(): void
    {
        $command = [self::program(), 'serve', '--host', '127.0.0.1', '--port', (string) $this->port,
            '--unix', $this->socket, '--unix-mode', '0660', '--control-key', $this->controlKey, ...$this->arguments];
        $log = ['file', "$this->folder/log", 'a'];
        $this->process = proc_open($command, [['file', '/dev/null', 'r'], $log, $log], $pipes);
        eventually(fn (): bool => $this->isReady(), 'the service is ready', 20);
    }

    public function pid(): int
    {
        return proc_get_status($this->process)['pid'];
    }

    /** kill -9 */
    public function kill(): void
    {
        proc_terminate($this->process, SIGKILL);
        proc_close($this->process);
        $this->process = null;
    }

    /** Stops it where it is, all of its threads, while something is done. */
    public function frozenWhile(callable $work): void
    {
        $pid = $this->pid();
        proc_terminate($this->process, SIGSTOP);
        $isStopped = static fn (string $file): bool => preg_match('/\) T/', (string) @file_get_contents($file)) === 1;
        eventually(static fn (): bool => array_filter(glob("/proc/$pid/task/*/stat"), $isStopped)
            === glob("/proc/$pid/task/*/stat"), 'all threads stand');
        try {
            $work();
        } finally {
            proc_terminate($this->process, SIGCONT);
        }
    }

    public function restart(): void
    {
        $this->kill();
        $this->start();
    }

    public function stop(): void
    {
        if ($this->process !== null) {
            proc_terminate($this->process, SIGTERM);
            proc_close($this->process);
            $this->process = null;
        }
        array_map(unlink(...), glob("$this->folder/*"));
        rmdir($this->folder);
    }

    private function isReady(): bool
    {
        if (!proc_get_status($this->process)['running']) {
            throw new \RuntimeException("The service ended:\n" . file_get_contents("$this->folder/log"));
        }
        try {
            (new Client($this->url(), timeout: 0.2))->call('GET', '/readyz');
            return true;
        } catch (LeaseholdException) {
            return false;
        }
    }
}
