<?php

declare(strict_types=1);

namespace Leasehold\Internal;

use Leasehold\Exception\Invalid;

/** What is wanted of which locks, as the service reads it. */
final class Want
{
    public readonly string $target;
    /** @var list<string> */
    public readonly array $keys;
    /** @var array<string, mixed> */
    public readonly array $body;

    /** @param string|list<string|array<string, mixed>> $key */
    public function __construct(string|array $key, bool $shared, ?int $slots, int $count)
    {
        $kind = array_filter(
            ['mode' => $shared ? 'shared' : null, 'limit' => $slots, 'count' => $count === 1 ? null : $count],
            static fn (mixed $value): bool => $value !== null);
        if (is_string($key)) {
            $this->target = '/locks/' . rawurlencode($key) . '/acquire';
            $this->body = $kind;
            $this->keys = [$key];
            return;
        }
        if ($key === []) {
            throw new Invalid('Name at least one lock.');
        }
        if ($kind !== []) {
            throw new Invalid("Of several locks each says what it wants: ['key' => 'b', 'mode' => 'shared'].");
        }
        $this->target = '/leases';
        $want = array_map(static fn (string|array $one): array => is_array($one) ? $one : ['key' => $one], $key);
        $this->body = ['want' => array_values($want)];
        $this->keys = array_column($want, 'key');
    }
}
