<?php

// Stands between a client and the service, and spoils one connection after the other, as the arguments say:
//   cutter.php SOCKET SERVICE HOW...
// It ends when its input does.
// HOW of a connection: `answer:N` ends it after N bytes of answers, `request:N` after N bytes of requests, `silent`
// passes nothing on, `mute` passes requests on and no answers; `-`, and every one after the last, is left alone.
// `once` ends it with its second request, `problem:CODE` answers its first request by itself, with that problem.
// `seed:S` makes up the rest, one in three spoilt, until SIGUSR1; a line is written for each.

declare(strict_types=1);

const PROBLEMS = [
    'no-such-process' => ['status' => 422, 'parameter' => 'bind'],
    'undelivered' => ['status' => 410, 'reason' => 'undelivered', 'ref' => null],
    'draining' => ['status' => 503],
    'too-many-waiters' => ['status' => 429],
    'caller-limit' => ['status' => 429],
    'too-many-connections' => ['status' => 503],
];
[, $socket, $service] = $argv;
$plans = array_slice($argv, 3);
$isRandom = str_starts_with(end($plans) ?: '', 'seed:');
if ($isRandom) {
    mt_srand((int) substr(array_pop($plans), 5));
    pcntl_async_signals(true);
    pcntl_signal(SIGUSR1, static function () use (&$isRandom): void {
        $isRandom = false;
    });
}
$plan = static function () use (&$plans, &$isRandom): string {
    if ($plans !== [] || !$isRandom || mt_rand(1, 3) > 1) {
        return array_shift($plans) ?? '-';
    }
    $count = mt_rand(0, mt_rand(0, 1500));
    $how = ["answer:$count", "answer:$count", "request:$count", 'silent', 'mute'][mt_rand(0, 4)];
    echo "$how\n";
    return $how;
};
@unlink($socket);
$listener = stream_socket_server("unix://$socket");
$pairs = [];

$end = static function (int $number) use (&$pairs): void {
    fclose($pairs[$number]['client']);
    fclose($pairs[$number]['service']);
    unset($pairs[$number]);
};

while (true) {
    $read = [STDIN, $listener, ...array_column($pairs, 'client'), ...array_column($pairs, 'service')];
    $none = null;
    if (!@stream_select($read, $none, $none, null)) {
        continue;
    }
    if (in_array(STDIN, $read, true)) {
        exit;
    }
    if (in_array($listener, $read, true)) {
        $client = stream_socket_accept($listener);
        $upstream = @stream_socket_client("unix://$service");
        if ($upstream === false) {
            fclose($client);
        } else {
            [$what, $count] = explode(':', $plan() . ':0');
            $left = is_numeric($count) ? (int) $count : $count;
            $pairs[] = ['client' => $client, 'service' => $upstream, 'what' => $what, 'left' => $left];
        }
        continue;
    }
    foreach ($pairs as $number => $pair) {
        foreach (['client' => 'service', 'service' => 'client'] as $from => $to) {
            if (!isset($pairs[$number]) || !in_array($pair[$from], $read, true)) {
                continue;
            }
            $bytes = fread($pair[$from], 65536);
            if ($bytes === '' || $bytes === false) {
                $end($number);
                continue;
            }
            if ($pair['what'] === 'problem') {
                $body = json_encode(['code' => $pair['left'], 'detail' => 'of the cutter'] + PROBLEMS[$pair['left']]);
                fwrite($pair['client'], sprintf("HTTP/1.1 %d Problem\r\nContent-Length: %d\r\n\r\n%s",
                    PROBLEMS[$pair['left']]['status'], strlen($body), $body));
                $pairs[$number]['what'] = '-';
                continue;
            }
            if ($pair['what'] === 'once' && $from === 'client' && $pairs[$number]['left']++ > 0) {
                $end($number);
                continue;
            }
            $isCut = $pair['what'] === ($from === 'client' ? 'request' : 'answer');
            if ($isCut) {
                $bytes = substr($bytes, 0, $pairs[$number]['left']);
                $pairs[$number]['left'] -= strlen($bytes);
            }
            if ($pair['what'] !== 'silent' && !($pair['what'] === 'mute' && $from === 'service') && $bytes !== '') {
                @fwrite($pair[$to], $bytes);
            }
            if ($isCut && $pairs[$number]['left'] === 0) {
                $end($number);
            }
        }
    }
}
