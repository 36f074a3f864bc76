<?php
// A PHP program of the stress: enters and leaves, then ends in one of several ways.
// Usage: php worker.php KEY LIMIT FOLDER ROUNDS quit|hold|die [without|symfony]
// without: takes no lock at all; symfony: leaves by sem_remove, as symfony/lock does, and begins anew when others do.
// In the folder every holder has a mark: a file of a number below the limit that only one can make. None left: too many
// are inside. Answers one line: ENTRIES OVERLAPS.

[, $key, $limit, $folder, $rounds, $end] = $argv;
$isControl = ($argv[6] ?? '') === 'without';
$removes = ($argv[6] ?? '') === 'symfony';

function enter(string $folder, int $limit): ?string
{
    for ($number = 0; $number < $limit; $number++) {
        $mark = @fopen("$folder/$number", 'x');
        if ($mark !== false) {
            fclose($mark);
            return "$folder/$number";
        }
    }
    return null;
}

$entries = $overlaps = 0;
for ($round = 0; $round < (int) $rounds; $round++) {
    do {
        // Between semget and the rest of sem_get the set may go: a handle with warnings, which sem_acquire refuses.
        $handle = $removes ? @sem_get((int) $key, (int) $limit) : sem_get((int) $key, (int) $limit);
        $acquired = !$isControl && ($removes ? @sem_acquire($handle) : sem_acquire($handle));
    } while ($removes && !$acquired);
    if (!$isControl && !$acquired) {
        fwrite(STDERR, "sem_acquire failed\n");
        exit(1);
    }
    $mark = enter($folder, (int) $limit);
    if ($mark === null) {
        $overlaps++;
    } else {
        $entries++;
        if ((int) $limit === 1) {
            // Read, wait a little, write: an increment is lost if two do it at once.
            $count = (int) file_get_contents("$folder/count");
            usleep(random_int(0, 200));
            file_put_contents("$folder/count", $count + 1);
        } else {
            usleep(random_int(0, 200));
        }
        unlink($mark);
    }
    if ($isControl) {
        continue;
    }
    if ($round === (int) $rounds - 1 && $end !== 'quit') {
        echo "$entries $overlaps\n";
        if ($end === 'die') {
            posix_kill(getmypid(), SIGKILL);
        }
        exit(0); // holding
    }
    if ($removes) {
        sem_remove($handle);
    } elseif (random_int(0, 1)) {
        sem_release($handle);
    }
    unset($handle);
}
echo "$entries $overlaps\n";
