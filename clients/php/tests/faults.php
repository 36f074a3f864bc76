<?php

// Seeded faults: several programs want one lock, while answers and requests are cut or kept back, the service is
// killed, and holders stand still or are killed. No two of them may say at once that they hold it, and nothing may be
// left behind.
//   faults.php [FAULTS [SEED]]

declare(strict_types=1);

use Leasehold\Exception\{LeaseholdException, LeaseLost};
use Leasehold\Tests\{Daemon, Program};
use Leasehold\{Client, Keep};

use function Leasehold\Tests\eventually;

require __DIR__ . '/bootstrap.php';

const TTL = 0.4;
const TIMEOUT = 0.6;

/** Takes and gives back, until it reads a line; writes for each lease its fence, when it was had, and held last. */
function work(string $url, int $seed): void
{
    mt_srand($seed);
    $client = new Client($url, timeout: TIMEOUT);
    stream_set_blocking(STDIN, false);
    while (($word = fread(STDIN, 10)) === '' || $word === false) {
        if (feof(STDIN)) {
            exit;
        }
        $keep = [Keep::Renewal, Keep::Process, Keep::Stream][mt_rand(0, 2)];
        $wait = [0.0, 0.1, 0.5][mt_rand(0, 2)];
        try {
            $lease = $client->acquire('k', wait: $wait, ttl: $keep === Keep::Renewal ? TTL : null, keep: $keep);
        } catch (LeaseholdException $error) {
            echo json_encode(['refused' => (new ReflectionClass($error))->getShortName()]), "\n";
            continue;
        }
        $line = ['fence' => $lease->fence, 'keep' => $keep->value, 'from' => hrtime(true), 'to' => 0];
        echo json_encode($line), "\n";
        for ($i = mt_rand(0, 6); $i > 0; $i--) {
            usleep(mt_rand(0, 20000));
            try {
                [$lease->check(...), $lease->renew(...), static fn () => null][mt_rand(0, 2)]();
            } catch (LeaseholdException) {
            }
            $now = hrtime(true);
            if ($lease->isHeld()) {
                $line['to'] = $now;
            }
        }
        $line['released'] = $lease->release();
        $line['lost'] = $lease->lost()?->reason();
        echo json_encode($line), "\n";
    }
    // What is owed goes out with this.
    eventually(static function () use ($client): bool {
        try {
            $client->lock('other');
            return true;
        } catch (LeaseholdException) {
            return false;
        }
    }, 'the service answers');
    echo "settled\n";
    stream_set_blocking(STDIN, true);
    fgets(STDIN);
}

/** One program that works, behind a cutter of its own. */
final class Worker
{
    private Program $cutter;
    private Program $program;
    private string $socket;

    public function __construct(private readonly Daemon $daemon, int $number)
    {
        $this->socket = "$daemon->folder/cut$number";
        $this->cutter = new Program(
            [PHP_BINARY, __DIR__ . '/cutter.php', $this->socket, $daemon->socket, 'seed:' . mt_rand()]);
        eventually(fn (): bool => file_exists($this->socket), 'the cutter listens');
        $this->begin();
    }

    public function begin(): void
    {
        $this->program = new Program([PHP_BINARY, __FILE__, 'work', "unix:$this->socket", (string) mt_rand()]);
    }

    public function stopFor(int $microseconds): void
    {
        $this->program->signal(SIGSTOP);
        usleep($microseconds);
        $this->program->signal(SIGCONT);
    }

    public function kill(): void
    {
        $this->program->kill();
        $this->begin();
    }

    /** @return array{list<string>, list<string>} the lines of the cutter and of the program since the last time */
    public function lines(): array
    {
        return [$this->cutter->lines(), $this->program->lines()];
    }

    public function settle(): void
    {
        $this->cutter->signal(SIGUSR1);
        $this->program->write('settle');
    }

    public function end(): void
    {
        $this->program->kill();
        $this->cutter->kill();
    }
}

/** What was seen of all leases, by fence. */
final class History
{
    public int $faults = 0;
    /** @var array<string, int> */
    public array $counts = [];
    /** @var array<int, array{from: int, to: int}> */
    private array $leases = [];
    private int $settled = 0;

    public function read(Worker $worker): void
    {
        [$cuts, $lines] = $worker->lines();
        $this->faults += count($cuts);
        foreach ($lines as $line) {
            $record = json_decode($line, true);
            if (isset($record['fence'])) {
                $this->leases[$record['fence']] = $record;
                $this->counts[$record['to'] === 0 ? $record['keep'] : ($record['lost'] ?? 'released')] ??= 0;
                $this->counts[$record['to'] === 0 ? $record['keep'] : ($record['lost'] ?? 'released')]++;
            } elseif (isset($record['refused'])) {
                $this->counts[$record['refused']] = ($this->counts[$record['refused']] ?? 0) + 1;
            } elseif ($line === 'settled') {
                $this->settled++;
            } else {
                throw new RuntimeException("a program said: $line");
            }
        }
    }

    public function settled(): int
    {
        return $this->settled;
    }

    /** Whoever got it later has it: nobody before may have said so at the same time or later. */
    public function check(): int
    {
        ksort($this->leases);
        $last = ['fence' => 0, 'to' => 0];
        foreach ($this->leases as $lease) {
            if ($lease['from'] <= $last['to']) {
                throw new RuntimeException('two held it at once: ' . json_encode([$last, $lease]));
            }
            $last = $lease['to'] > $last['to'] ? $lease : $last;
        }
        return count($this->leases);
    }
}

if (($argv[1] ?? '') === 'work') {
    work($argv[2], (int) $argv[3]);
    exit;
}
$wanted = (int) ($argv[1] ?? 60);
$seed = (int) ($argv[2] ?? random_int(1, 1 << 30));
echo "faults: seed $seed\n";
mt_srand($seed);
$daemon = new Daemon();
$workers = array_map(static fn (int $number): Worker => new Worker($daemon, $number), range(1, 4));
$history = new History();
$begun = hrtime(true);
while ($history->faults < $wanted) {
    usleep(mt_rand(1000, 60000));
    $worker = $workers[mt_rand(0, 3)];
    switch (mt_rand(1, 40)) {
        case 1:
            $daemon->restart();
            $history->faults++;
            break;
        case 2:
        case 3:
            $worker->stopFor(mt_rand(1000, 700000));
            $history->faults++;
            break;
        case 4:
            $history->read($worker);
            $worker->kill();
            $history->faults++;
            break;
    }
    array_map($history->read(...), $workers);
}
foreach ($workers as $worker) {
    $worker->settle();
}
eventually(static function () use ($history, $workers): bool {
    array_map($history->read(...), $workers);
    return $history->settled() === count($workers);
}, 'all have settled', 20);
$client = $daemon->client();
// Every program lives on, so nothing of it ends by itself but by a ttl, or by the grace after a restart.
eventually(static function () use ($client): bool {
    $lock = $client->lock('k');
    return ($lock['holders'] ?? []) === [] && ($lock['waiting'] ?? 0) === 0;
}, 'nothing is left behind', 4);
$leases = $history->check();
foreach ($workers as $worker) {
    $worker->end();
}
$daemon->stop();
ksort($history->counts);
printf("faults: %d faults, %d leases, %.1f s, %s\n", $history->faults, $leases, (hrtime(true) - $begun) / 1e9,
    json_encode($history->counts));
