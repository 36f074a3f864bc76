<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\Invalid;

/** Where the service is: a Unix socket, or a host and a port, with TLS or without. */
final class Address
{
    public const SOCKET = '/run/leasehold/leasehold.sock';
    public const PORT = 31818;

    private function __construct(
        public readonly string $target,
        public readonly string $host,
        public readonly bool $isUnix,
        public readonly bool $isSecure,
    ) {
    }

    /**
     * Reads `unix:/path`, `http://host:port` or `https://host:port`.
     *
     * Without a text it is LEASEHOLD_URL; else the socket of the package where there is one; else that of this user's
     * own service; else this host.
     * A socket that is there but refuses is an error later on, never a silent change to TCP.
     */
    public static function find(?string $url): self
    {
        $url ??= getenv('LEASEHOLD_URL') ?: null;
        if ($url === null) {
            $path = self::isA(self::SOCKET, 0140000) ? self::SOCKET : self::ownSocket();
            $url = $path === null ? 'http://127.0.0.1:' . self::PORT : "unix:$path";
        }
        if (preg_match('~^unix:(?://)?(/.+)$~', $url, $parts)) {
            return new self('unix://' . $parts[1], 'localhost', true, false);
        }
        if (preg_match('~^(https?)://(\[[0-9a-fA-F:.]+\]|[^/:@?#\[\]]+)(?::(\d{1,5}))?/?$~', $url, $parts)) {
            $host = $parts[2] . ':' . ($parts[3] ?? self::PORT);
            return new self("tcp://$host", $host, false, $parts[1] === 'https');
        }
        throw new Invalid("'$url' is no address: write unix:/path, http://host:port or https://host:port.");
    }

    /** The socket of this user's own service, where one takes connections and nobody else can put another. */
    private static function ownSocket(): ?string
    {
        if (!function_exists('posix_geteuid')) {
            return null;
        }
        $folder = (getenv('XDG_RUNTIME_DIR') ?: '') . '/leasehold';
        if (strlen("$folder/leasehold.sock") > 107 || !self::isOwn(dirname($folder))) {
            $folder = '/tmp/leasehold-' . posix_geteuid();
        }
        $path = "$folder/leasehold.sock";
        if (!self::isOwn($folder) || !self::isA($path, 0140000)) {
            return null;
        }
        $probe = @stream_socket_client("unix://$path", $code, $text, 2.0);
        return $probe !== false && fclose($probe) ? $path : null;
    }

    /** Whether a folder is this user's and closed to others. */
    private static function isOwn(string $folder): bool
    {
        $found = str_starts_with($folder, '/') ? @lstat($folder) : false;
        return $found !== false && ($found['mode'] & 0170077) === 0040000 && $found['uid'] === posix_geteuid();
    }

    private static function isA(string $path, int $kind): bool
    {
        $found = @stat($path);
        return $found !== false && ($found['mode'] & 0170000) === $kind;
    }

    /** The address as a message shows it. */
    public function __toString(): string
    {
        return $this->isUnix ? substr($this->target, 7) : ($this->isSecure ? 'https://' : 'http://') . $this->host;
    }

    /** The name that the certificate is for. */
    public function name(): string
    {
        return trim(preg_replace('~:\d+$~', '', $this->host), '[]');
    }

    /** Why the socket is not for this user, and what to do; null when it is, or when there is none. */
    public function refusal(): ?string
    {
        $path = $this->isUnix ? substr($this->target, 7) : '';
        if ($path === '' || !file_exists($path) || is_writable($path)) {
            return null;
        }
        $group = (int) filegroup($path);
        $name = function_exists('posix_getgrgid') ? (posix_getgrgid($group)['name'] ?? $group) : $group;
        $mode = sprintf('%04o', fileperms($path) & 07777);
        return "The socket $path (mode $mode, group $name) refuses this user: become a member of the group $name.";
    }
}
