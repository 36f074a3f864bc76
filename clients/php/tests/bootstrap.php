<?php

declare(strict_types=1);

require __DIR__ . '/../autoload.php';
require __DIR__ . '/functions.php';

spl_autoload_register(static function (string $name): void {
    // SYMFONY_LOCK: the folder of another version than Debian's.
    $roots = [
        'Leasehold\\Tests\\' => __DIR__,
        'Symfony\\Component\\Lock\\' => getenv('SYMFONY_LOCK') ?: '/usr/share/php/Symfony/Component/Lock',
        'Psr\\Log\\' => '/usr/share/php/Psr/Log',
    ];
    foreach ($roots as $prefix => $folder) {
        $file = $folder . '/' . strtr(substr($name, strlen($prefix)), '\\', '/') . '.php';
        if (str_starts_with($name, $prefix) && is_file($file)) {
            require $file;
        }
    }
});
