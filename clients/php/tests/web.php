<?php

// Runs in PHP's own web server: one worker that outlives its requests. What it has goes into the file SEEN, as an
// answer gets lost when memory runs out.

declare(strict_types=1);

require __DIR__ . '/bootstrap.php';

$lease = Leasehold\Lock::acquire('web', wait: 0);
file_put_contents(getenv('SEEN'), json_encode(['pid' => getmypid(), 'keep' => $lease->keep->value]));
match ($_SERVER['QUERY_STRING']) {
    'forget' => null,
    'background' => exec('sleep 4 >/dev/null 2>&1 &'),
    'exit' => exit,
    'throw' => throw new RuntimeException('nobody catches it'),
    'memory' => str_repeat('x', (int) ini_set('memory_limit', '16M') + (1 << 28)),
    'time' => set_time_limit(1) && (static function (): void {
        while (true) {
        }
    })(),
    'release' => $lease->release(),
};
