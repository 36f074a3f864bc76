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
     * Without a text it is LEASEHOLD_URL; else the socket of the package where there is one; else this host.
     * A socket that is there but refuses is an error later on, never a silent change to TCP.
     */
    public static function find(?string $url): self
    {
        $url ??= getenv('LEASEHOLD_URL') ?: null;
        $url ??= file_exists(self::SOCKET) ? 'unix:' . self::SOCKET : 'http://127.0.0.1:' . self::PORT;
        if (preg_match('~^unix:(?://)?(/.+)$~', $url, $parts)) {
            return new self('unix://' . $parts[1], 'localhost', true, false);
        }
        if (preg_match('~^(https?)://(\[[0-9a-fA-F:.]+\]|[^/:@?#\[\]]+)(?::(\d{1,5}))?/?$~', $url, $parts)) {
            $host = $parts[2] . ':' . ($parts[3] ?? self::PORT);
            return new self("tcp://$host", $host, false, $parts[1] === 'https');
        }
        throw new Invalid("'$url' is no address: write unix:/path, http://host:port or https://host:port.");
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
