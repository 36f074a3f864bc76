# Rows: H17 H18 H20 H21 H31 H34
"""Values of every type between PHP and HTTP, both ways, byte for byte."""

from interop import AS_BYTES, SENT_AS_BYTES, SERIALIZED, Scenario, main

# PHP, JSON; what is read back from JSON's form is equal to both.
PAIRS = [
    ("null", "null"), ("true", "true"), ("false", "false"), ("0", "0"), ("-1", "-1"),
    ("PHP_INT_MAX", "9223372036854775807"), ("PHP_INT_MIN", "-9223372036854775808"),
    ("1.0", "1.0"), ("-0.0", "-0.0"), ("0.1", "0.1"), ("1e25", "1e+25"), ("1.5e300", "1.5e+300"), ("5e-324", "5e-324"),
    ("1e17", "1e+17"), ("1e15", "1000000000000000.0"), ("PHP_FLOAT_MAX", "1.7976931348623157e+308"),
    ("''", '""'), ('"a\\0b\\"c\\\\d\\n"', '"a\\u0000b\\"c\\\\d\\n"'), ("'Grüße €'", '"Grüße €"'), ("'i:1;'", '"i:1;"'),
    ("[]", "[]"), ("[1,'2',[3.0]]", '[1,"2",[3.0]]'), ("['a'=>1,'b'=>['c'=>null]]", '{"a":1,"b":{"c":null}}'),
    ("[1=>'a',0=>'b']", '{"1":"a","0":"b"}'), ("['07'=>1,'-0'=>2,' 1'=>3]", '{"07":1,"-0":2," 1":3}'),
    ("['7'=>1,'-3'=>2]", '{"7":1,"-3":2}'), ("['9223372036854775808'=>1]", '{"9223372036854775808":1}'),
    ("[''=>[[],[[]]]]", '{"":[[],[[]]]}'),
]
OBJECTS = ["new ArrayObject([1])", "(object)['a'=>(object)[]]", "[1,[new DateTimeZone('UTC')]]"]


class Types(Scenario):
    def setUp(self):
        super().setUp()
        self.make(size=100000)
        self.attach()

    def test_what_http_wrote_php_reads(self):
        for php, text in PAIRS:
            with self.subTest(php):
                self.assertIn(self.put(1, text.encode()).status, (200, 201))
                self.assertEqual(self.in_php(f"shm_get_var($m, 1) === {php}"), b"b:1;" if php != "-0.0" else b"b:1;")
                self.assertEqual(self.fetch(1, AS_BYTES).body, self.in_php(php))
                self.assertEqual(self.in_php("shm_get_var($m, 1)"), self.in_php(php))

    def test_what_php_wrote_http_reads(self):
        for php, text in PAIRS:
            with self.subTest(php):
                self.in_php(f"shm_put_var($m, 2, {php})")
                for _ in range(2):
                    answer = self.fetch(2)
                    self.assertEqual(answer.text, text + "\n")
                    self.assertEqual(answer.headers.get_content_type(), "application/json")
                bytes_answer = self.fetch(2, AS_BYTES)
                self.assertEqual(bytes_answer.headers["Content-Type"], SERIALIZED)
                self.assertEqual(bytes_answer.headers["ETag"], answer.headers["ETag"])

    def test_numbers_beyond_php(self):
        for text in ("9223372036854775808", "-9223372036854775809", "1e999", "[1,[-99999999999999999999]]"):
            self.assertProblem(self.put(3, text.encode()), 400, "out-of-range", parameter="body")
        self.assertProblem(self.fetch(3), 404, "no-such-variable")

    def test_what_is_no_json(self):
        for text in ("", "{", "[1,]", "nul", '{"a":1,"a":2}', "1 2", "'a'", "[" * 600 + "]" * 600):
            problem = self.assertProblem(self.put(3, text.encode()), 400, "bad-json")
            self.assertIn("offset", problem)
        self.assertProblem(self.put(3, b'"\xff"'), 400, "bad-json")
        self.assertProblem(self.put(3, b"1", {"Content-Type": "text/plain"}), 415, "unsupported-media-type")

    def test_a_body_that_curl_calls_a_form_is_json(self):
        self.assertEqual(self.put(3, b"[1]", {"Content-Type": "application/x-www-form-urlencoded"}).status, 201)

    def test_what_json_cannot_say(self):
        for php in ("INF", "-INF", "NAN", '"\\xff"', '["\\xc3" => 1]', *OBJECTS,
                    "(function() { $a = 1; return [&$a, &$a]; })()"):
            with self.subTest(php):
                self.in_php(f"shm_put_var($m, 4, {php})")
                self.assertProblem(self.fetch(4), 406, "not-representable")
                self.assertEqual(self.fetch(4, AS_BYTES).body, self.in_php("shm_get_var($m, 4)"))
        self.assertProblem(self.fetch(4, {"Accept": "text/html"}), 406, "not-acceptable")

    def test_serialized_bodies_are_stored_as_they_are_sent(self):
        for php in ("INF", '"\\xff\\0"', "[1,2.5,'x'=>[true]]", "(function() { $a = 1; return [&$a, &$a]; })()"):
            sent = self.in_php(php)
            self.assertIn(self.put(5, sent, SENT_AS_BYTES).status, (200, 201))
            self.assertEqual(self.fetch(5, AS_BYTES).body, sent)
            self.assertEqual(self.in_php("shm_get_var($m, 5)"), sent)
        for broken in (b"", b"i:1", b"a:1:{i:0;}", b"i:1;i:2;", b's:9:"x";', b"x"):
            self.assertProblem(self.put(5, broken, SENT_AS_BYTES), 400, "bad-serialized")

    def test_objects_are_refused(self):
        for php in OBJECTS:
            self.assertProblem(self.put(6, self.in_php(php), SENT_AS_BYTES), 422, "objects-refused")
        self.assertProblem(self.put(6, b'E:4:"A:B;";', SENT_AS_BYTES), 400, "bad-serialized")
        self.assertProblem(self.put(6, b'E:3:"A:B";', SENT_AS_BYTES), 422, "objects-refused")
        self.assertEqual(self.put(6, 'O:1:"A":0:{}').status, 201)

    def test_there_or_not_there(self):
        self.assertEqual(self.in_php("shm_has_var($m, 9)"), b"b:0;")
        self.assertEqual(self.server.request("HEAD", f"/shm/9?{self.query}").status, 404)
        self.assertProblem(self.fetch(9), 404, "no-such-variable")
        self.php.bytes("global $m; return (string)@shm_get_var($m, 9);")
        for text in ("null", "false"):
            self.put(9, text.encode())
            self.assertEqual(self.in_php("shm_has_var($m, 9)"), b"b:1;")
            self.assertEqual(self.server.request("HEAD", f"/shm/9?{self.query}").status, 200)
            self.assertEqual(self.fetch(9).text, text + "\n")

    def test_a_text_that_php_calls_corrupted(self):
        self.put(1, "abc")
        place = self.memory().index(b's:3:"abc"')
        self.server.request("PUT", f"{self.path}/bytes?offset={place}", b"s:9")
        self.assertProblem(self.fetch(1), 409, "corrupt-segment")
        self.assertEqual(self.fetch(1, AS_BYTES).body, b's:9:"abc";')
        self.in_php("shm_get_var($m, 1)")
        self.assertIn("corrupted", self.php.warnings[0])


class ObjectsAllowed(Scenario):
    arguments = ("--shm-objects", "allow")

    def test_are_php_objects_again(self):
        self.make(size=100000)
        self.attach()
        for php in OBJECTS:
            sent = self.in_php(php)
            self.assertIn(self.put(1, sent, SENT_AS_BYTES).status, (200, 201))
            self.assertEqual(self.in_php("shm_get_var($m, 1)"), sent)
            self.assertProblem(self.fetch(1), 406, "not-representable")


if __name__ == "__main__":
    main()
