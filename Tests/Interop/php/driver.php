<?php
// A PHP program that does what it is told: one command a line, one answer in JSON a line.
//   get NAME KEY [MAX [PERM(octal) [AUTO_RELEASE(1|0)]]]   sem_get; the handle is kept under NAME
//   acquire NAME [nowait] | release NAME | remove NAME      sem_acquire, sem_release, sem_remove
//   free NAME      drops the last reference to the handle
//   symfony NAME KEY [nowait]   takes a lock as symfony/lock's SemaphoreStore does: again and again while it is removed
//   lock NAME RESOURCE [wait] | unlock NAME | locked NAME   by symfony/lock itself, with its SemaphoreStore
//   die | quit     kill -9 of itself; the end of the script
// An answer: {"result":true,"warning":null}. Before the first: {"ready":PID}.

// Debian's; SYMFONY_LOCK is the folder of another one.
spl_autoload_register(static function (string $name): void {
    $lock = 'Symfony\\Component\\Lock\\';
    $file = str_starts_with($name, $lock)
        ? (getenv('SYMFONY_LOCK') ?: '/usr/share/php/Symfony/Component/Lock') . '/' . substr($name, strlen($lock))
        : "/usr/share/php/$name";
    require strtr($file, '\\', '/') . '.php';
});

set_error_handler(function (int $level, string $message) use (&$warning): bool {
    $warning = $message;
    return true;
});

function obey(array $words, array &$handles): mixed
{
    $name = $words[1] ?? '';
    switch ($words[0]) {
        case 'get':
            $arguments = [(int) $words[2]];
            if (isset($words[3])) {
                $arguments[] = (int) $words[3];
            }
            if (isset($words[4])) {
                $arguments[] = octdec($words[4]);
            }
            if (isset($words[5])) {
                $arguments[] = $words[5] === '1';
            }
            $handle = sem_get(...$arguments);
            if ($handle !== false) {
                $handles[$name] = $handle;
            }
            return $handle !== false;
        case 'acquire':
            return sem_acquire($handles[$name], ($words[2] ?? '') === 'nowait');
        case 'release':
            return sem_release($handles[$name]);
        case 'remove':
            return sem_remove($handles[$name]);
        case 'free':
            unset($handles[$name]);
            return true;
        case 'symfony':
            // SemaphoreStore::lock: whoever waited while the holder ended by sem_remove opens the set anew.
            do {
                $handle = sem_get((int) $words[2]);
                $GLOBALS['warning'] = null;
                $acquired = sem_acquire($handle, ($words[3] ?? '') === 'nowait');
                $removed = !$acquired && preg_match('/Identifier removed|Invalid argument/', $GLOBALS['warning'] ?? '');
            } while ($removed);
            if ($acquired) {
                $handles[$name] = $handle;
            }
            return $acquired;
        case 'lock':
            $factory = new Symfony\Component\Lock\LockFactory(new Symfony\Component\Lock\Store\SemaphoreStore());
            $handles[$name] = $factory->createLock($words[2]);
            return $handles[$name]->acquire(($words[3] ?? '') === 'wait');
        case 'unlock':
            $handles[$name]->release();
            return true;
        case 'locked':
            return $handles[$name]->isAcquired();
        case 'die':
            posix_kill(getmypid(), SIGKILL);
    }
    throw new InvalidArgumentException("no such command: $words[0]");
}

$warning = null;
$handles = [];
echo json_encode(['ready' => getmypid()]), "\n";
while (($line = fgets(STDIN)) !== false) {
    $words = explode(' ', trim($line));
    if ($words[0] === 'quit') {
        break;
    }
    $warning = null;
    try {
        $result = obey($words, $handles);
    } catch (Throwable $error) {
        $result = get_class($error);
        $warning = $error->getMessage();
    }
    echo json_encode(['result' => $result, 'warning' => $warning]), "\n";
}
