<?php

// For programs without Composer: require this file.

declare(strict_types=1);

spl_autoload_register(static function (string $name): void {
    if (str_starts_with($name, 'Leasehold\\')) {
        $file = __DIR__ . '/src/' . strtr(substr($name, strlen('Leasehold\\')), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
