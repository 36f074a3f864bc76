# Rows: H17 H18 H20
"""Random values, PHP to HTTP to PHP and HTTP to PHP to HTTP: equal, and equal byte for byte as PHP serializes them.

SEED=7 VALUES=1000 python3 Tests/Interop/test_h18_round_trip.py repeats a run.
"""

import json
import os
import random
import struct

from interop import AS_BYTES, SENT_AS_BYTES, Scenario, main

SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(1 << 31)))
VALUES = int(os.environ.get("VALUES", 50_000))
BATCH = 500

# A generator of values in PHP: scalars and nested arrays with keys of all kinds. $bytes: with what JSON cannot say.
GENERATOR = r"""
    function scalar($bytes) {
        switch (mt_rand(0, 9)) {
            case 0: return null;
            case 1: return (bool)mt_rand(0, 1);
            case 2: return mt_rand(-10, 10);
            case 3: return mt_rand() * mt_rand() - mt_rand();
            case 4: return [PHP_INT_MAX, PHP_INT_MIN, 0, -1][mt_rand(0, 3)];
            case 5:
                do $f = unpack('d', pack('V2', mt_rand() ^ (mt_rand() << 1), mt_rand() ^ (mt_rand() << 1)))[1];
                while (!$bytes && !is_finite($f));
                return $f;
            case 6: return [0.0, -0.0, 1.0, 0.1, 1e15, 1e17, 1e25, -2.5, 100.0, 1e-5][mt_rand(0, 9)];
            case 7: return mt_rand(-1000, 1000) / 8;
            default: return text($bytes);
        }
    }
    function text($bytes) {
        $s = '';
        for ($i = mt_rand(0, 12); $i > 0; $i--)
            $s .= $bytes ? chr(mt_rand(0, 255))
                : ['a', "\0", '"', '\\', "\n", '/', "\u{7f}", "\u{e9}", "\u{20ac}", "\u{1f600}", '0', '{'][
                    mt_rand(0, 11)];
        return $s;
    }
    function value($depth, $bytes) {
        if ($depth == 0 || mt_rand(0, 3)) return scalar($bytes);
        $a = [];
        $list = mt_rand(0, 1);
        for ($i = mt_rand(0, 5); $i > 0; $i--) {
            $v = value($depth - 1, $bytes);
            if ($list) $a[] = $v;
            else $a[mt_rand(0, 1) ? mt_rand(-9, 99) : text($bytes) . mt_rand(0, 20)] = $v;
        }
        if ($bytes && $a && !mt_rand(0, 5)) { $k = array_key_first($a); $a['same'] = &$a[$k]; }
        return $a;
    }
    function batch($count, $bytes) { $a = []; while ($count--) $a[] = value(4, $bytes); return $a; }
"""


def scalar(source):
    kind = source.randrange(8)
    if kind == 0:
        return source.choice([None, True, False])
    if kind == 1:
        return source.choice([0, -1, (1 << 63) - 1, -(1 << 63), source.randrange(-100, 100)])
    if kind == 2:
        return source.getrandbits(63) * source.choice([1, -1])
    if kind == 3:
        while True:
            number = struct.unpack("d", source.randbytes(8))[0]
            if number - number == 0:
                return number
    if kind == 4:
        return source.choice([0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1e17, 1e25, 1e-4, 1e-5, 5e-324, 123.0])
    characters = ["a", "\0", '"', "\\", "\n", "/", "\x7f", "é", "€", "😀", "0", "{", "\u2028"]
    return "".join(source.choices(characters, k=source.randrange(12)))


def value(source, depth):
    if depth == 0 or source.randrange(4):
        return scalar(source)
    count = source.randrange(6)
    if source.randrange(2):
        return [value(source, depth - 1) for _ in range(count)]
    keys = [source.choice(["", "a", "é", "07", "-0", "-3", "5", " 1", "9223372036854775807", "9223372036854775808"])
            + source.choice(["", "x", "7"]) for _ in range(count)]
    return {key: value(source, depth - 1) for key in keys}


def exact(item):
    """Comparable without mixing up 1, 1.0, True and -0.0; an empty object is an empty list."""
    if isinstance(item, dict):
        if list(item) == [str(index) for index in range(len(item))]:
            return exact(list(item.values()))
        return ("object", [(key, exact(item[key])) for key in item])
    if isinstance(item, list):
        return ("list", [exact(element) for element in item])
    return (type(item).__name__, repr(item))


class RoundTrip(Scenario):
    def setUp(self):
        super().setUp()
        print(f"SEED={SEED} VALUES={VALUES} ", end="", flush=True)
        self.make(size=4 << 20)
        self.attach()
        self.php.bytes(GENERATOR + f"mt_srand({SEED}); return '';")

    def test_php_to_http_to_php_as_json(self):
        for number in range(VALUES // BATCH):
            sent = self.php.bytes(f"global $m, $sent; $sent = batch({BATCH}, false); shm_put_var($m, 1, $sent);"
                                  "return serialize($sent);")
            got = self.fetch(1)
            self.assertEqual(got.status, 200, (number, got))
            self.assertIn(self.put(2, got.body).status, (200, 201))
            back = self.php.bytes("global $m, $sent; $back = shm_get_var($m, 2);"
                                  "return $back === $sent ? serialize($back) : 'differs';")
            self.assertEqual(back, sent, f"batch {number}")
            self.assertEqual(self.fetch(2).headers["ETag"], got.headers["ETag"])

    def test_php_to_http_to_php_as_bytes(self):
        for number in range(VALUES // BATCH):
            sent = self.php.bytes(f"global $m; $v = batch({BATCH}, true); shm_put_var($m, 3, $v);"
                                  "return serialize($v);")
            got = self.fetch(3, AS_BYTES)
            self.assertEqual(got.body, sent, f"batch {number}")
            self.assertIn(self.put(4, got.body, SENT_AS_BYTES).status, (200, 201))
            self.assertEqual(self.in_php("shm_get_var($m, 4)"), sent, f"batch {number}")

    def test_http_to_php_to_http(self):
        source = random.Random(SEED)
        for number in range(VALUES // BATCH):
            sent = [value(source, 4) for _ in range(BATCH)]
            put = self.put(5, json.dumps(sent, ensure_ascii=False).encode())
            self.assertIn(put.status, (200, 201), (number, put))
            self.php.bytes("global $m; shm_put_var($m, 6, shm_get_var($m, 5)); return '';")
            got = self.fetch(6)
            self.assertEqual(exact(json.loads(got.body)), exact(sent), f"batch {number}")
            self.assertEqual(got.headers["ETag"], put.headers["ETag"], "PHP serializes it otherwise")


if __name__ == "__main__":
    main()
