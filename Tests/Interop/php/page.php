<?php
// Pages of PHP's built-in web server: one worker, one request after the other, as in a web worker that lives on.
//   /ping                          pong
//   /hold?key=K&auto=1|0           sem_get, sem_acquire, and the end of the request with the lock held
//   /try?key=K                     whether sem_acquire(.., non_blocking) gets it; given back at once
//   /release?key=K                 what sem_release says of a lock that an earlier request took

header('Content-Type: text/plain');
$key = (int) ($_GET['key'] ?? 0);
$page = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($page === '/ping') {
    exit('pong');
}
$handle = sem_get($key, 1, 0666, ($_GET['auto'] ?? '1') === '1');
switch ($page) {
    case '/hold':
        exit(sem_acquire($handle) ? 'held' : 'failed');
    case '/try':
        $got = sem_acquire($handle, true);
        if ($got) {
            sem_release($handle);
        }
        exit($got ? 'free' : 'taken');
    case '/release':
        exit(@sem_release($handle) ? 'released' : 'refused');
}
http_response_code(404);
