<?php

declare(strict_types=1);

namespace Leasehold;

use Leasehold\Exception\{Invalid, LeaseholdException};
use Leasehold\Internal\{Problems, Transport, Want};

/** Where the service is and who asks. */
final class Client
{
    /** @internal */
    public readonly Transport $transport;
    /** @internal Whether the service said that it cannot bind leases to this process. */
    public bool $cannotBindProcess = false;
    /** @internal Whether the service knows a renewal of several, as far as is known. */
    public bool $renewsSeveral = true;
    private static ?self $default = null;

    /**
     * Makes a client; it connects with its first request.
     *
     * @param string|null $url `unix:/path`, `http://host:port` or `https://host:port`; null for LEASEHOLD_URL, else the
     *     socket of the package where there is one, else that of your own service, else port 31818 of this host
     * @param string|null $token a bearer token; null for LEASEHOLD_TOKEN, if that is set
     * @param float $timeout how long one request may take beyond its wait in a queue, in seconds
     * @throws Invalid
     */
    public function __construct(
        ?string $url = null,
        #[\SensitiveParameter] ?string $token = null,
        public readonly float $timeout = 5.0,
    ) {
        if (!($timeout > 0) || is_infinite($timeout)) {
            throw new Invalid('A timeout is a time in seconds, more than none.');
        }
        $this->transport = new Transport($url, $token, $timeout);
    }

    /** The client of everybody who names none: as the environment says, the same for the whole request. */
    public static function default(): self
    {
        return self::$default ??= new self();
    }

    /**
     * Takes a lock here.
     *
     * @param string|list<string|array<string, mixed>> $key
     * @param mixed ...$how what `Lock::acquire` takes, by name
     * @throws LeaseholdException
     */
    public function acquire(string|array $key, mixed ...$how): Lease
    {
        return Lock::acquire($key, ...$how, client: $this);
    }

    /**
     * Sends releases that were not answered, as every other request does first; for programs that may be idle for long.
     *
     * @return bool whether nothing is left to send
     */
    public function settle(): bool
    {
        return $this->transport->settle();
    }

    /**
     * One lock with its holders and waiters, as `GET /locks/{key}` shows it; null when nobody uses it.
     *
     * @return array<string, mixed>|null
     * @throws LeaseholdException
     */
    public function lock(string $key): ?array
    {
        $answer = $this->transport->request('GET', '/locks/' . rawurlencode($key));
        if ($answer->code() === 'no-such-lock') {
            return null;
        }
        return $answer->status < 400 ? $answer->json : throw Problems::exception($answer);
    }

    /**
     * Gives a counting lock another number of slots, or other names of them, even while it is in use; 0 pauses it.
     *
     * @param int|list<string> $slots how many, or their names
     * @param bool $pinned whether it keeps them whatever number callers ask for from now on
     * @return array<string, mixed> the lock
     * @throws LeaseholdException
     */
    public function resize(string $key, int|array $slots, bool $pinned = false): array
    {
        $kind = is_array($slots) ? ['slots' => Want::names('slots', $slots)] : ['limit' => $slots];
        return $this->call('PUT', '/locks/' . rawurlencode($key),
            $kind + ['resize' => 'true'] + ($pinned ? ['pinned' => 'true'] : []));
    }

    /**
     * Any other request.
     *
     * @param array<string, mixed>|null $body sent as JSON
     * @return array<string, mixed> the answer
     * @throws LeaseholdException
     */
    public function call(string $method, string $target, ?array $body = null): array
    {
        $answer = $this->transport->request(
            $method, $target, body: $body === null ? null : static fn (): array => $body);
        return $answer->status < 400 ? $answer->json : throw Problems::exception($answer);
    }
}
