<?php
// Opens and drops handles, and never acquires: php opener.php KEY [remove]. Ends with its standard input.
// With "remove" it removes the set now and then, whoever uses it.

stream_set_blocking(STDIN, false);
echo "ready\n";
while (!feof(STDIN)) {
    for ($round = 0; $round < 50; $round++) {
        $handle = @sem_get((int) $argv[1]);
        if (($argv[2] ?? '') === 'remove' && random_int(0, 19) === 0) {
            @sem_remove($handle);
        }
        unset($handle);
    }
    fgets(STDIN);
}
