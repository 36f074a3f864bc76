"""What IPC::ShareLite and IPC::Shareable have in common: their locks, beside those of HTTP."""

from perlside import LEASE, Scenario, _keys, eventually


class Shares:
    """Tests of a share. `opening` is Perl that opens $s under the key in $k, `round_trip` stores and fetches a text."""

    def setUp(self):
        super().setUp()
        self.semkey = next(_keys)
        self.name = f"sharelite:{self.semkey}"

    def sharer(self):
        """A Perl program that has the share open as $s."""
        program = self.perl()
        program.do(f"$k = {self.semkey}; {self.opening}; 1")
        return program

    @property
    def counts(self):
        """Readers and writers."""
        return self.values(self.semkey)[1:]

    def acquire(self, mode, **parameters):
        return self.at_http(self.name, "acquire", "POST", mode=mode, **parameters)

    def later(self, mode):
        return self.acquire_in_background(self.name, {}, mode=mode)

    def tries(self, program, flags):
        return bool(program.do(f"$s->lock({flags} | LOCK_NB)"))

    def test_a_writer_over_http_keeps_perl_out(self):
        perl = self.sharer()
        lease = self.granted(self.acquire("write"))
        self.assertEqual((lease["mode"], lease["sysv"]["semaphores"]), ("exclusive", [1, 2]))
        self.assertNotIn("warnings", lease)
        self.assertEqual(self.counts, [0, LEASE])
        self.assertFalse(self.tries(perl, "LOCK_SH"))
        self.assertFalse(self.tries(perl, "LOCK_EX"))
        perl.send("$s->lock(LOCK_EX)")
        eventually(lambda: self.zcnt(self.semkey, 2), "perl waits in the kernel")
        self.server.release(lease)
        perl.answer()
        self.assertEqual(self.counts, [0, 1])
        perl.do("$s->unlock")
        self.assertEqual(self.counts, [0, 0])

    def test_readers_share_and_shut_writers_out(self):
        perl, other = self.sharer(), self.sharer()
        lease = self.granted(self.acquire("read"))
        self.assertTrue(self.tries(perl, "LOCK_SH"))
        self.assertEqual(self.counts, [LEASE + 1, 0])
        self.assertFalse(self.tries(other, "LOCK_EX"))
        self.assertProblem(self.acquire("write"), 423, "locked", errno="EAGAIN")
        second = self.granted(self.acquire("shared"))
        perl.do("$s->unlock")
        for each in (lease, second):
            self.server.release(each)
        self.assertTrue(self.tries(other, "LOCK_EX"))
        other.do("$s->unlock")

    def test_a_writer_in_perl_keeps_http_out(self):
        perl = self.sharer()
        self.assertTrue(self.tries(perl, "LOCK_EX"))
        for mode in ("read", "write"):
            self.assertProblem(self.acquire(mode), 423, "locked", native_held=1)
        waiter = self.later("write")
        perl.do("$s->unlock")
        self.server.release(self.granted(waiter.answer()))
        self.assertEqual(self.counts, [0, 0])

    def test_a_killed_program_leaves_nothing(self):
        for flags, mode in (("LOCK_EX", "read"), ("LOCK_SH", "write")):
            perl = self.sharer()
            self.assertTrue(self.tries(perl, flags))
            waiter = self.later(mode)
            perl.kill()
            self.server.release(self.granted(waiter.answer()))
            self.assertEqual(self.counts, [0, 0])

    def test_a_set_that_http_made_is_begun_by_perl(self):
        lease = self.granted(self.acquire("read"))
        self.assertEqual(self.values(self.semkey), [0, LEASE, 0])
        self.server.release(lease)
        perl = self.sharer()
        self.assertEqual(self.values(self.semkey)[0], 1)
        lease = self.granted(self.acquire("write"))
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        self.server.release(lease)
        self.assertEqual(perl.do(self.round_trip), "text")
        self.assertEqual(self.counts, [0, 0])

    def test_a_lease_goes_on_after_the_service_was_killed(self):
        perl = self.sharer()
        lease = self.granted(self.acquire("write"))
        self.server.restart()
        self.assertFalse(self.tries(perl, "LOCK_SH"))
        self.assertEqual(self.at_http(self.name)["holders"][0]["ref"], lease["ref"])
        self.server.release(lease)
        self.assertEqual(self.counts, [0, 0])
        self.assertTrue(self.tries(perl, "LOCK_SH"))
        perl.do("$s->unlock")

    def test_up_and_down(self):
        perl = self.sharer()
        lease = self.granted(self.acquire("read"))
        target = f"convert?lease={lease['lease']}"
        self.assertEqual(self.at_http(self.name, target + "&mode=exclusive", "POST").status, 200)
        self.assertEqual(self.counts, [0, LEASE])
        self.assertEqual(self.at_http(self.name, target + "&mode=shared", "POST").status, 200)
        self.assertTrue(self.tries(perl, "LOCK_SH"))
        self.server.release(lease)
        perl.do("$s->unlock")

    def test_where_it_leads_and_what_it_does_not_take(self):
        answer = self.server.get(f"/keys/sharelite:0x{self.semkey:x}").json
        self.assertEqual((answer["dialect"], answer["sysv"]["nsems"], answer["exists"]), ("sharelite", 3, False))
        self.assertEqual((answer["sysv"]["key"], answer["sysv"]["semaphores"]), (self.semkey, [1, 2]))
        for more in ({"nsems": 3}, {"limit": 2}, {"semaphore_key": 5}):
            self.assertProblem(self.acquire("read", **more), 400, "invalid-parameter", parameter=[*more][0])
        self.assertProblem(self.acquire("read", count=2), 400, "invalid-parameter", parameter="count")
        self.assertProblem(self.at_http("sharelite:demo", "acquire", "POST"), 400, "bad-key")
        self.eye.do(f"IPC::Semaphore->new({self.semkey}, 2, IPC_CREAT | 0600) or die $!; 1")
        problem = self.assertProblem(self.acquire("read"), 409, "nsems-mismatch", nsems=2, asked_nsems=3)
        self.assertIn("another key", problem["detail"])


__all__ = ["Scenario", "Shares"]
