<?php

declare(strict_types=1);

namespace Leasehold\Tests;

/** Another program, in PHP or not, whose lines can be read as they come. */
final class Program
{
    /** @var resource */
    private $process;
    /** @var array<int, resource> */
    private array $pipes = [];
    private string $said = '';

    /** @param list<string> $command */
    public function __construct(array $command)
    {
        $this->process = proc_open($command, [['pipe', 'r'], ['pipe', 'w'], STDERR], $this->pipes);
    }

    /** Runs some lines of PHP that know the client as `$client`. */
    public static function php(string $url, string $code): self
    {
        $uses = 'use Leasehold\{Client, Keep, Lease, Lock};';
        $autoload = var_export(__DIR__ . '/bootstrap.php', true);
        return new self([PHP_BINARY, '-r', "$uses require $autoload; \$client = new Client('$url'); $code"]);
    }

    /** The next line that it says; empty at its end. */
    public function line(): string
    {
        [$read, $none] = [[$this->pipes[1]], null];
        if (stream_select($read, $none, $none, 20) !== 1) {
            throw new \RuntimeException('The program says nothing.');
        }
        return trim((string) fgets($this->pipes[1]));
    }

    /** @return list<string> what it has said since, without waiting for more */
    public function lines(): array
    {
        stream_set_blocking($this->pipes[1], false);
        $this->said .= stream_get_contents($this->pipes[1]);
        $lines = explode("\n", $this->said);
        $this->said = array_pop($lines);
        return $lines;
    }

    public function write(string $line): void
    {
        fwrite($this->pipes[0], "$line\n");
    }

    public function pid(): int
    {
        return proc_get_status($this->process)['pid'];
    }

    public function isRunning(): bool
    {
        return proc_get_status($this->process)['running'];
    }

    public function signal(int $number): void
    {
        proc_terminate($this->process, $number);
    }

    /** Ends it, and waits for its end. */
    public function kill(): void
    {
        $this->signal(SIGKILL);
        proc_close($this->process);
    }

    /** Waits for its end. */
    public function wait(): int
    {
        return proc_close($this->process);
    }
}
