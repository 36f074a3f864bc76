<?php
// An application in a container of its own, beside the daemon: php - WHAT ... <app.php
//   share KEY          sem_get(KEY) and php:KEY exclude each other, both ways
//   acquire KEY QUERY  prints the id of a new lease
//   lease ID           says "alive", or why the lease is over
//   stay KEY BIND      prints the id of a lease bound to this process (pid, peer) or connection, and stays for ever
function connect()
{
    return stream_socket_client('unix:///run/leasehold/leasehold.sock') ?: exit("connect\n");
}

function request(string $method, string $target): array
{
    $socket = connect();
    fwrite($socket, "$method $target HTTP/1.0\r\nHost: localhost\r\n\r\n");
    [$head, $body] = explode("\r\n\r\n", stream_get_contents($socket), 2);
    return [(int) explode(' ', $head)[1], json_decode($body, true)];
}

function expect($wanted, $seen, string $what): void
{
    if ($wanted !== $seen) {
        fwrite(STDERR, "$what: expected " . json_encode($wanted) . ', got ' . json_encode($seen) . "\n");
        exit(1);
    }
}

function share(string $key): void
{
    $semaphore = sem_get((int) $key);
    expect(true, sem_acquire($semaphore, true), 'PHP takes the free lock');
    expect(423, request('POST', "/locks/php:$key/acquire")[0], 'HTTP finds it held');
    sem_release($semaphore);
    [$status, $lease] = request('POST', "/locks/php:$key/acquire");
    expect(201, $status, 'HTTP takes what PHP released');
    expect(false, sem_acquire($semaphore, true), 'PHP finds it held');
    expect(200, request('DELETE', "/leases/$lease[lease]")[0], 'HTTP releases');
    expect(true, sem_acquire($semaphore, true), 'PHP takes what HTTP released');
    echo "shared\n";
}

function stay(string $key, string $bind): void
{
    $value = ['pid' => 'pid:' . getmypid(), 'peer' => 'peer', 'connection' => 'connection'][$bind];
    $socket = connect();
    fwrite($socket, "POST /locks/$key/acquire?ttl=0&bind=$value HTTP/1.1\r\nHost: localhost\r\n\r\n");
    $status = (int) explode(' ', fgets($socket))[1];
    while (trim($line = fgets($socket)) !== '') {
        $length = sscanf(strtolower($line), 'content-length: %d')[0] ?? $length ?? 0;
    }
    $body = stream_get_contents($socket, $length);
    // The lease, or what went wrong.
    echo $status === 201 ? json_decode($body, true)['lease'] : $body, "\n";
    while ($status === 201) {
        sleep(3600);
    }
}

[, $what, $first, $second] = $argv + [3 => ''];
switch ($what) {
    case 'share':
        share($first);
        break;
    case 'acquire':
        [$status, $answer] = request('POST', "/locks/$first/acquire?$second");
        expect(201, $status, 'acquire');
        echo $answer['lease'], "\n";
        break;
    case 'lease':
        [$status, $answer] = request('GET', "/leases/$first");
        echo $status === 200 ? 'alive' : $answer['reason'] ?? $status, "\n";
        break;
    case 'stay':
        stay($first, $second);
        break;
    default:
        exit(64);
}
