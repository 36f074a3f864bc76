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

    /**
     * @param string|list<string|array<string, mixed>> $key
     * @param int|list<string>|null $slots how many, or their names
     * @param string|list<string>|null $slot the names of those to take
     */
    public function __construct(
        string|array $key,
        bool $shared = false,
        int|array|null $slots = null,
        int $count = 1,
        string|array|null $slot = null,
        bool $create = false,
        ?int $value = null,
    ) {
        $kind = array_filter(
            ['mode' => $shared ? 'shared' : null, 'limit' => is_array($slots) ? null : $slots,
                'slots' => is_array($slots) ? self::names('slots', $slots) : null,
                'slot' => $slot === null ? null : self::names('slot', (array) $slot),
                'count' => $count === 1 ? null : $count,
                'create' => $create ? '1' : null,
                'value' => $value],
            static fn (mixed $value): bool => $value !== null);
        if (is_string($key)) {
            $this->target = '/locks/' . rawurlencode($key) . '/acquire';
            $this->body = $kind;
            $this->keys = [$key];
            return;
        }
        if ($kind !== []) {
            throw new Invalid("Of several locks each says what it wants: ['key' => 'b', 'mode' => 'shared'].");
        }
        $this->target = '/leases';
        $this->body = ['want' => self::several($key)];
        $this->keys = array_column($this->body['want'], 'key');
    }

    /**
     * Several locks, each as a member of `want`.
     *
     * @param list<string|array<string, mixed>> $keys
     * @return list<array<string, mixed>>
     */
    public static function several(array $keys): array
    {
        if ($keys === []) {
            throw new Invalid('Name at least one lock.');
        }
        return array_values(array_map(static fn (string|array $one): array =>
            is_array($one) ? $one : ['key' => $one], $keys));
    }

    /**
     * Names of slots as the service reads them.
     *
     * @param list<string> $names
     */
    public static function names(string $parameter, array $names): string
    {
        $isName = static fn (mixed $name): bool => is_string($name) && $name !== '' && !str_contains($name, ',');
        if ($names === [] || array_filter($names, $isName) !== $names) {
            throw new Invalid("$parameter has names of slots, without commas.");
        }
        return implode(',', $names);
    }
}
