<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\Denied;
use Leasehold\Exception\Unavailable;

/**
 * One HTTP/1.1 connection, for one request at a time; connects with its first.
 *
 * It belongs to the process that opened it: a child of a fork closes its copy and opens its own.
 */
final class Connection
{
    private const HEAD_MAX = 65536;
    private const BODY_MAX = 16777216;

    /** @var resource|null */
    private $stream = null;
    /** @var resource|null one that is left, but stands in a queue until the next answer */
    private $former = null;
    private int $pid = 0;
    private string $read = '';
    /** Whether the request that is under way may have reached the service. */
    private bool $hasSent = false;
    /** @var \WeakMap<Connection, true>|null every one that is open */
    private static ?\WeakMap $open = null;
    /** @var list<resource> copies of a parent's TLS sessions: closing them would tell the service that they end */
    private static array $inherited = [];

    public function __construct(
        private readonly Address $address,
        #[\SensitiveParameter] private readonly ?string $token,
        private readonly ?string $authorities,
        private readonly bool $isStream = false,
    ) {
    }

    /** @return array<string, mixed> without the token */
    public function __debugInfo(): array
    {
        return ['address' => $this->address, 'isOpen' => $this->stream !== null];
    }

    public function __destruct()
    {
        $this->close();
    }

    public function isOpen(): bool
    {
        self::closeInherited();
        return $this->stream !== null;
    }

    /** Tells whether the service has closed it, or never had it; waits for nothing. */
    public function isBroken(): bool
    {
        if (!$this->isOpen()) {
            return true;
        }
        while (true) {
            [$read, $write, $except] = [[$this->stream], null, null];
            if (!@stream_select($read, $write, $except, 0)) {
                return $this->lastWords() !== null;
            }
            $chunk = fread($this->stream, 8192);
            if (!$this->isStream || $chunk === '' || $chunk === false) {
                return $chunk !== '' && $chunk !== false || feof($this->stream) || $this->lastWords() !== null;
            }
            // Of a stream only the last line matters; the others say that the lease lives.
            $this->read = substr($this->read . $chunk, -4096);
        }
    }

    /** @return array<string, mixed>|null the line with which the service ended a stream; null when there is none */
    public function lastWords(): ?array
    {
        $isThere = $this->isStream && preg_match('~^\{"ended":.*\}$~m', $this->read, $parts) === 1;
        return $isThere ? json_decode($parts[0], true) : null;
    }

    /**
     * Sends a request and reads its answer, whatever the status.
     *
     * @param array<string, string> $headers
     * @param bool $staysInLine whether the connection stays open beyond the deadline, until the next answer: so a
     *     waiter has its place until it has asked for it on another one
     * @throws Unavailable when no whole answer came until the deadline; the connection is closed then, and
     *     `mayHaveArrived` says whether the request was sent
     * @throws Denied when the socket is not for this user
     */
    public function send(
        string $method, string $target, array $headers, ?string $body, int $deadline, bool $staysInLine = false,
    ): Answer {
        $this->hasSent = false;
        try {
            self::closeInherited();
            if ($this->stream === null) {
                $this->connect($deadline);
            }
            $this->write($this->head($method, $target, $headers, $body) . $body, $deadline);
            $answer = $this->answer($deadline);
            $this->end($this->former);
            return $answer;
        } catch (\Throwable $error) {
            // Nobody can tell what would come next on this connection.
            if ($staysInLine && $this->stream !== null && Clock::now() >= $deadline) {
                $this->end($this->former);
                [$this->former, $this->stream, $this->read] = [$this->stream, null, ''];
            } else {
                $this->close();
            }
            throw $error;
        }
    }

    public function close(): void
    {
        $this->end($this->former);
        $this->end($this->stream);
        $this->read = '';
        unset(self::$open[$this]);
    }

    /** @param resource|null $ended becomes null */
    private function end(&$ended): void
    {
        [$stream, $ended] = [$ended, null];
        if ($stream === null) {
            return;
        }
        $isOwn = $this->pid === getmypid();
        if ($this->address->isSecure && !$isOwn) {
            self::$inherited[] = $stream;
            return;
        }
        if ($isOwn && !$this->address->isSecure) {
            // Programs that were started meanwhile have copies, as PHP closes none on exec.
            @stream_socket_shutdown($stream, STREAM_SHUT_RDWR);
        }
        fclose($stream);
    }

    /** After a fork: the child keeps no connection of its parent's open. */
    private static function closeInherited(): void
    {
        foreach (self::$open ?? [] as $connection => $_) {
            if ($connection->pid !== getmypid()) {
                $connection->close();
            }
        }
    }

    private function connect(int $deadline): void
    {
        $seconds = max(0.001, ($deadline - Clock::now()) / 1e9);
        $tls = ['peer_name' => $this->address->name()] + array_filter(['cafile' => $this->authorities]);
        $context = stream_context_create(['ssl' => $tls, 'socket' => ['tcp_nodelay' => true]]);
        $stream = @stream_socket_client(
            $this->address->target, $number, $reason, $seconds, STREAM_CLIENT_CONNECT, $context);
        if ($stream === false) {
            if (($refusal = $this->address->refusal()) !== null) {
                throw new Denied($refusal);
            }
            throw $this->failure($reason === '' ? 'it did not answer in time' : lcfirst($reason));
        }
        if ($this->address->isSecure) {
            stream_set_timeout($stream, (int) ceil($seconds));
            if (!@stream_socket_enable_crypto($stream, true, STREAM_CRYPTO_METHOD_TLS_CLIENT)) {
                fclose($stream);
                $why = preg_replace('/^.*(?:error:|\): )/s', '', error_get_last()['message'] ?? 'refused');
                $isOfCertificate = preg_match('/certificate/i', $why) === 1;
                throw $this->failure("no TLS session: $why", $isOfCertificate ? 'insecure' : '');
            }
        }
        stream_set_blocking($stream, false);
        stream_set_read_buffer($stream, 0);
        [$this->stream, $this->pid, $this->read] = [$stream, (int) getmypid(), ''];
        self::$open ??= new \WeakMap();
        self::$open[$this] = true;
    }

    /** @param array<string, string> $headers */
    private function head(string $method, string $target, array $headers, ?string $body): string
    {
        $headers += ['Host' => $this->address->host, 'Accept' => 'application/json'];
        if ($this->token !== null) {
            $headers['Authorization'] = "Bearer $this->token";
        }
        if ($body !== null) {
            $headers += ['Content-Type' => 'application/json', 'Content-Length' => (string) strlen($body)];
        } elseif ($method === 'POST') {
            $headers['Content-Length'] = '0';
        }
        $text = "$method $target HTTP/1.1\r\n";
        foreach ($headers as $name => $value) {
            $text .= "$name: $value\r\n";
        }
        return "$text\r\n";
    }

    private function write(string $bytes, int $deadline): void
    {
        while ($bytes !== '') {
            $count = @fwrite($this->stream, $bytes);
            if ($count === false) {
                throw $this->failure('the connection broke');
            }
            if ($count > 0) {
                $this->hasSent = true;
                $bytes = substr($bytes, $count);
            } else {
                $this->wait(false, $deadline);
            }
        }
    }

    private function answer(int $deadline): Answer
    {
        do {
            $head = $this->readUntil("\r\n\r\n", $deadline);
            if (!preg_match('~^HTTP/1\.[01] (\d{3})(?: [^\r\n]*)?(\r\n|$)~', $head, $parts)) {
                throw $this->failure('what answers does not speak HTTP', 'malformed');
            }
            $status = (int) $parts[1];
        } while ($status < 200);
        $closes = preg_match('~\r\nConnection:[^\r\n]*\bclose\b~i', $head) === 1;
        if ($this->isStream && $status < 300) {
            // The first chunk is the lease, and the connection lives as long as that.
            $this->readUntil("\r\n", $deadline);
            $json = json_decode($this->readUntil("\n", $deadline), true);
            return new Answer($status, is_array($json) ? $json : []);
        }
        if (preg_match('~\r\nTransfer-Encoding:\s*chunked\b~i', $head)) {
            $body = $this->chunks($deadline);
        } elseif (preg_match('~\r\nContent-Length:\s*(\d{1,8})\s*(?:\r\n|$)~i', $head, $parts)) {
            $body = $this->readCount((int) $parts[1], $deadline);
        } elseif ($status === 204 || $status === 304) {
            $body = '';
        } else {
            [$body, $closes] = [$this->readToEnd($deadline), true];
        }
        if ($closes) {
            $this->close();
        }
        $json = json_decode($body, true);
        return new Answer($status, is_array($json) ? $json : []);
    }

    private function chunks(int $deadline): string
    {
        $body = '';
        while (true) {
            $line = $this->readUntil("\r\n", $deadline);
            if (!preg_match('~^([0-9a-fA-F]{1,7})(?:;|$)~', $line, $parts)) {
                throw $this->failure('a chunk of its answer has no length', 'malformed');
            }
            $count = (int) hexdec($parts[1]);
            if ($count === 0) {
                while ($this->readUntil("\r\n", $deadline) !== '') {
                }
                return $body;
            }
            $body .= $this->readCount($count, $deadline);
            if ($this->readUntil("\r\n", $deadline) !== '' || strlen($body) > self::BODY_MAX) {
                throw $this->failure('its answer is not whole, or too long', 'malformed');
            }
        }
    }

    private function readUntil(string $mark, int $deadline): string
    {
        while (($end = strpos($this->read, $mark)) === false) {
            if (strlen($this->read) > self::HEAD_MAX) {
                throw $this->failure('the head of its answer is too long', 'malformed');
            }
            $this->readMore($deadline) || throw $this->failure('the connection broke');
        }
        $text = substr($this->read, 0, $end);
        $this->read = substr($this->read, $end + strlen($mark));
        return $text;
    }

    private function readCount(int $count, int $deadline): string
    {
        if ($count > self::BODY_MAX) {
            throw $this->failure('its answer is too long', 'malformed');
        }
        while (strlen($this->read) < $count) {
            $this->readMore($deadline) || throw $this->failure('the connection broke');
        }
        $text = substr($this->read, 0, $count);
        $this->read = substr($this->read, $count);
        return $text;
    }

    private function readToEnd(int $deadline): string
    {
        while ($this->readMore($deadline)) {
            if (strlen($this->read) > self::BODY_MAX) {
                throw $this->failure('its answer is too long', 'malformed');
            }
        }
        return $this->read;
    }

    /** Tells whether there was more before the end of the stream. */
    private function readMore(int $deadline): bool
    {
        while (true) {
            $chunk = @fread($this->stream, 65536);
            if ($chunk !== '' && $chunk !== false) {
                $this->read .= $chunk;
                return true;
            }
            if ($chunk === false || feof($this->stream)) {
                return false;
            }
            $this->wait(true, $deadline);
        }
    }

    /** Waits until the stream is ready; a signal does not prolong it. */
    private function wait(bool $toRead, int $deadline): void
    {
        do {
            $left = intdiv($deadline - Clock::now(), 1000);
            if ($left <= 0) {
                throw $this->failure('it did not answer in time');
            }
            [$read, $write, $except] = $toRead ? [[$this->stream], null, null] : [null, [$this->stream], null];
            $ready = @stream_select($read, $write, $except, intdiv($left, 1000000), $left % 1000000);
        } while (!$ready);
    }

    /** @param string $code for what will not pass: `malformed` or `insecure` */
    private function failure(string $reason, string $code = ''): Unavailable
    {
        return Unavailable::unanswered("No answer from $this->address: $reason.", $code, $this->hasSent);
    }
}
