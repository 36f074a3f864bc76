# Rows: P10
"""op with SEM_UNDO: what perl's exit takes back, the end of a lease takes back."""

import socket
import time
import unittest

from ipc_semaphore import BothSides, Pending, Perl, eventually


class Undo(BothSides):
    def lease(self, set_id, *ops, **more):
        """An op that makes a lease."""
        answer = self.op(set_id, *ops, **more)
        lease = self.granted(answer)
        self.assertEqual(answer.headers["Location"], f"/leases/{lease['lease']}")
        return lease

    def release(self, lease, already=False):
        self.assertEqual(self.granted(self.server.release(lease), 200)["already"], already)

    def get_lease(self, lease):
        return self.server.get(f"/leases/{lease['lease']}")

    def refs(self, set_id):
        return [one["leases"] for one in self.get(set_id)["semaphores"]]

    # What ends it.

    def test_the_end_of_a_lease_does_what_perls_exit_does(self):
        for ours in (True, False):
            with self.subTest("leasehold" if ours else "perl"):
                made = self.make(nsems=3, values=[5, 0, 1])
                other = Perl(self).use(made)
                if ours:
                    lease = self.lease(made, (0, -2, "undo"), (1, 3, "undo"), (2, -1))
                else:
                    perl = Perl(self).use(made)
                    self.assertEqual(perl.ask("$sem->op(0, -2, SEM_UNDO, 1, 3, SEM_UNDO, 2, -1, 0) || undef"), "ok 1")
                self.assertEqual(other.values("$sem->getall"), [3, 3, 0])
                if ours:
                    self.release(lease)
                    self.release(lease, already=True)
                else:
                    perl.kill()
                self.assertEqual(other.values("$sem->getall"), [5, 0, 0])

    def test_the_end_is_cut_at_zero_and_never_blocks(self):
        for ours in (True, False):
            with self.subTest("leasehold" if ours else "perl"):
                made = self.make(nsems=2, values=[0, 0])
                other = Perl(self).use(made)
                if ours:
                    lease = self.lease(made, (0, 3, "undo"), (1, 0, "undo"))
                else:
                    perl = Perl(self).use(made)
                    self.assertEqual(perl.ask("$sem->op(0, 3, SEM_UNDO) || undef"), "ok 1")
                self.assertEqual(other.ask("$sem->op(0, -2, 0) || undef"), "ok 1")
                if ours:
                    self.release(lease)
                else:
                    perl.kill()
                self.assertEqual(other.values("$sem->getall"), [0, 0])

    def test_the_end_is_cut_at_the_largest_value(self):
        for ours in (True, False):
            with self.subTest("leasehold" if ours else "perl"):
                made = self.make(values=[32767])
                other = Perl(self).use(made)
                if ours:
                    lease = self.lease(made, (0, -32767, "undo"))
                else:
                    perl = Perl(self).use(made)
                    self.assertEqual(perl.ask("$sem->op(0, -32767, SEM_UNDO) || undef"), "ok 1")
                self.assertEqual(other.ask("$sem->op(0, 20005, 0) || undef"), "ok 1")
                if ours:
                    self.release(lease)
                else:
                    perl.kill()
                self.assertEqual(other.values("$sem->getall"), [32767])

    def test_a_deadline_that_passes_ends_it(self):
        made, perl = self.make_for_perl(values=[1])
        lease = self.lease(made, (0, -1, "undo", "nowait"), ttl="300ms", owner="me")
        self.assertEqual((lease["ttl_ms"], lease["owner"], lease["bind"]), (300, "me", None))
        self.assertEqual((lease["sysv"]["id"], lease["sysv"]["semaphores"]), (made, [0]))
        self.assertEqual(perl.errno("$sem->op(0, -1, IPC_NOWAIT) || undef"), "EAGAIN")
        perl.send("$sem->op(0, -1, 0) || undef")
        self.assertEqual(perl.answer(), "ok 1", "perl gets it when the lease is over")
        self.assertProblem(self.get_lease(lease), 410, "expired")
        self.assertProblem(self.server.release(lease), 410, "expired")
        self.assertEqual(self.values(made), [0])

    def test_a_renewal_keeps_it(self):
        made = self.make(values=[1])
        lease = self.lease(made, (0, -1, "undo"), ttl="600ms")
        for _ in range(4):
            time.sleep(0.3)
            self.granted(self.server.post(f"/leases/{lease['lease']}/renew"), 200)
        self.assertEqual(self.values(made), [0])
        eventually(lambda: self.values(made) == [1], "the end of a lease that nobody renews")

    # How it is had.

    def test_what_is_not_possible_now_is_refused_or_waited_for(self):
        made, perl = self.make_for_perl(nsems=2, values=[0, 7])
        self.assertProblem(self.op(made, (1, -1, "undo"), (0, -1, "undo")), 423, "locked", errno="EAGAIN")
        self.assertEqual(self.values(made), [0, 7])
        pending = self.op_later(made, (1, -1, "undo"), (0, -1, "undo"))
        self.assertEqual(perl.value("$sem->getncnt(0)"), 1)
        self.assertEqual(perl.ask("$sem->op(0, 1, 0) || undef"), "ok 1")
        lease = self.granted(pending.answer())
        self.assertEqual(self.values(made), [0, 6])
        self.release(lease)
        self.assertEqual(self.values(made), [1, 7])
        late = self.op(made, (0, -2, "undo"), wait="50ms")
        self.assertProblem(late, 423, "wait-timeout")
        self.assertEqual(self.values(made), [1, 7])

    def test_perl_and_a_lease_take_turns(self):
        made, perl = self.make_for_perl(values=[1])
        self.assertEqual(perl.ask("$sem->op(0, -1, SEM_UNDO) || undef"), "ok 1")
        pending = self.op_later(made, (0, -1, "undo"))
        perl.kill()
        lease = self.granted(pending.answer())
        perl = Perl(self).use(made)
        perl.send("$sem->op(0, -1, SEM_UNDO) || undef")
        perl.blocks()
        self.release(lease)
        self.assertEqual(perl.answer(), "ok 1")

    def test_a_retry_gets_the_same_lease(self):
        made = self.make(values=[5])

        def ask(query, key="mine"):
            return self.server.request("POST", f"/semaphores/id:{made}/op?{query}", headers={"Idempotency-Key": key})

        first = ask("ops=0:-1:undo&ttl=60s")
        lease = self.granted(first)
        for query in ("ops=0:-1:undo&ttl=60s", "ops=0:-1:undo&ttl=60s&wait=1s"):
            again = self.granted(ask(query), 200)
            self.assertEqual((again["lease"], again["replayed"]), (lease["lease"], True))
        self.assertProblem(ask("ops=0:-2:undo&ttl=60s"), 422, "idempotency-mismatch")
        self.assertEqual(self.values(made), [4])
        self.server.restart()
        self.assertEqual(self.granted(ask("ops=0:-1:undo&ttl=60s"), 200)["lease"], lease["lease"])
        self.granted(ask("ops=0:-1:undo&ttl=60s", "another"))
        self.release(lease)
        self.assertEqual(self.values(made), [4])
        self.assertProblem(ask("ops=0:-1:undo&ttl=60s"), 410, "released")

    def test_retries_that_wait_together_take_once(self):
        made = self.make(values=[0])

        def ask():
            return self.server.request("POST", f"/semaphores/id:{made}/op?ops=0:-1:undo&wait=20s", timeout=60,
                                       headers={"Idempotency-Key": "mine"})

        pending = [Pending(ask) for _ in range(2)]
        eventually(lambda: self.asleep(made) == 2, "two sleepers")
        perl = Perl(self).use(made)
        self.assertEqual(perl.ask("$sem->op(0, 2, 0) || undef"), "ok 1")
        answers = [one.answer() for one in pending]
        self.assertEqual(sorted(one.status for one in answers), [200, 201])
        self.assertEqual(len({one["lease"] for one in answers}), 1)
        self.assertEqual(self.values(made), [1])

    def test_who_hangs_up_leaves_nothing(self):
        made, perl = self.make_for_perl(values=[0])
        sock = socket.create_connection(("127.0.0.1", self.server.port))
        sock.sendall(f"POST /semaphores/id:{made}/op?ops=0:-1:undo&wait=60s HTTP/1.1\r\nHost: localhost\r\n"
                     "Content-Length: 0\r\n\r\n".encode())
        eventually(lambda: self.asleep(made) == 1, "a sleeper")
        sock.close()
        eventually(lambda: self.asleep(made) == 0, "no sleeper any more")
        self.assertEqual(perl.ask("$sem->op(0, 1, 0) || undef"), "ok 1")
        self.assertEqual(self.values(made), [1])

    def test_what_the_kernel_refuses_changes_nothing(self):
        made = self.make(nsems=70, values=[1] * 70)
        for ops, status, code, errno in (
            ([(0, -1, "undo"), (70, 1, "undo")], 400, "out-of-range", "EFBIG"),
            ([(0, 32767, "undo")], 507, "kernel-limit", "ERANGE"),
            ([(number, -1, "undo") for number in range(65)], 400, "out-of-range", "E2BIG"),
        ):
            with self.subTest(errno):
                self.assertProblem(self.op(made, *ops), status, code, errno=errno)
                self.assertEqual(self.values(made), [1] * 70)
        self.assertProblem(self.op(made, (0, -1), ttl="5s"), 400, "invalid-parameter", parameter="ttl")
        self.assertProblem(self.op(made, (0, -1, "undo"), ttl="1ms"), 400, "out-of-range", parameter="ttl")
        lease = self.lease(made, *[(number, -1, "undo") for number in range(64)], owner="o" * 128)
        self.assertEqual(lease["sysv"]["semaphores"], list(range(64)))
        self.server.restart()
        self.assertEqual(self.granted(self.get_lease(lease), 200)["sysv"]["semaphores"], list(range(64)))
        self.release(lease)
        self.assertEqual(self.values(made), [1] * 70)

    # Who waits, and for whom.

    def test_native_programs_and_clients_stand_in_one_queue_in_the_order_they_came(self):
        made = self.make(values=[0])
        first = self.op_later(made, (0, -1, "undo"), owner="ann")
        perl = Perl(self).use(made)
        perl.send("$sem->op(0, -1, SEM_UNDO) || undef")
        eventually(lambda: self.asleep(made) == 2, "perl asleep behind the first")
        third = self.op_later(made, (0, -1, "undo"), owner="eve")
        shown = self.get(made)
        self.assertEqual([(one["owner"], one["ops"]) for one in shown["waiters"]],
                         [("ann", ["0:-1:undo"]), ("eve", ["0:-1:undo"])])
        self.assertEqual((shown["held"], shown["waiting"], shown["semaphores"][0]["ncnt"]), (0, 2, 3))
        giver = Perl(self).use(made)

        def give():
            self.assertEqual(giver.ask("$sem->op(0, 1, 0) || undef"), "ok 1")

        give()
        self.granted(first.answer())
        eventually(lambda: [one["owner"] for one in self.get(made)["waiters"]] == ["eve"], "one client left")
        perl.blocks()
        give()
        self.assertEqual(perl.answer(), "ok 1")
        self.assertFalse(third.done)
        give()
        self.granted(third.answer())
        shown = self.get(made)
        self.assertEqual(([one["owner"] for one in shown["holders"]], shown["waiters"]), (["ann", "eve"], []))

    def test_a_refusal_names_who_has_the_semaphore(self):
        made = self.make(nsems=2, values=[1, 1])
        held = self.lease(made, (1, -1, "undo"), owner="ann")
        for wait, code in ((None, "locked"), ("50ms", "wait-timeout")):
            with self.subTest(code):
                refused = self.op(made, (0, -1), (1, -1), **({"wait": wait} if wait else {}))
                self.assertProblem(refused, 423, code, errno="EAGAIN", sem=1, value=0, key=f"op:id:{made}")
                self.assertEqual([(one["ref"], one["owner"]) for one in refused["holders"]], [(held["ref"], "ann")])
        refused = self.server.acquire(f"sysv:id:{made}.1")
        self.assertProblem(refused, 423, "locked")
        self.assertEqual([one["owner"] for one in refused["holders"]], ["ann"])
        self.assertEqual(self.granted(self.server.get(f"/locks/sysv:id:{made}.1"), 200)["held"], 1)
        self.release(held)

    def test_a_refusal_names_the_native_process_that_took_it_last(self):
        made, perl = self.make_for_perl(values=[1])
        self.assertEqual(perl.ask("$sem->op(0, -1, SEM_UNDO) || undef"), "ok 1")
        refused = self.op(made, (0, -1, "undo"))
        self.assertProblem(refused, 423, "locked", sem=0, pid=perl.value("$$"))
        self.assertEqual(refused["holders"], [])

    # Who kills whom.

    def test_a_killed_daemon_keeps_the_lease_and_not_its_undo(self):
        made, perl = self.make_for_perl(nsems=2, values=[4, 0])
        lease = self.lease(made, (0, -3, "undo"), (1, 2, "undo"), owner="me", ttl="60s")
        for _ in range(3):
            self.server.restart()
            self.assertEqual(perl.values("$sem->getall"), [1, 2], "nothing is taken back by the daemon's death")
        kept = self.granted(self.get_lease(lease), 200)
        self.assertEqual([kept[name] for name in ("key", "ttl_ms", "owner", "sysv")],
                         [lease[name] for name in ("key", "ttl_ms", "owner", "sysv")])
        self.assertEqual(self.refs(made), [[lease["ref"]], [lease["ref"]]])
        self.assertEqual(perl.ask("$sem->op(1, -1, 0) || undef"), "ok 1")
        self.release(lease)
        self.assertEqual(perl.values("$sem->getall"), [4, 0])
        self.server.restart()
        self.release(lease, already=True)
        self.assertEqual(perl.values("$sem->getall"), [4, 0])

    def test_a_daemon_killed_in_a_wait_leaves_nothing(self):
        made, perl = self.make_for_perl(values=[0])
        pending = self.op_later(made, (0, -1, "undo"))
        self.server.restart()
        with self.assertRaises(OSError):
            pending.answer()
        self.assertEqual(perl.ask("$sem->op(0, 1, 0) || undef"), "ok 1")
        self.assertEqual(perl.values("$sem->getall"), [1])

    def test_the_deadline_holds_across_a_restart(self):
        made = self.make(values=[1])
        self.lease(made, (0, -1, "undo"), ttl="1s")
        self.server.restart()
        self.assertEqual(self.values(made), [0])
        eventually(lambda: self.values(made) == [1], "the end of the lease")

    # What else is done with the set.

    def test_values_that_are_written_end_it_and_nothing_is_taken_back(self):
        made, perl = self.make_for_perl(nsems=3, values=[1, 1, 1])
        lease = self.lease(made, (1, -1, "undo"), (2, -1, "undo"))
        self.assertEqual(self.refs(made), [[], [lease["ref"]], [lease["ref"]]])
        self.granted(self.put(f"/semaphores/id:{made}/0", value=9), 200)
        problem = self.put(f"/semaphores/id:{made}/2", value=8)
        self.assertProblem(problem, 409, "in-use", leases=[lease["ref"]])
        self.assertProblem(self.put(f"/semaphores/id:{made}/values", values=[5, 5, 5]), 409, "in-use")
        written = self.granted(self.put(f"/semaphores/id:{made}/2", value=8, force=True), 200)
        self.assertEqual(written["broken"], [lease["ref"]])
        self.assertProblem(self.get_lease(lease), 410, "broken")
        self.assertEqual(perl.values("$sem->getall"), [9, 0, 8])
        self.server.restart()
        self.assertEqual(perl.values("$sem->getall"), [9, 0, 8])

    def test_a_set_that_is_removed_takes_it_along(self):
        made = self.make(values=[1])
        lease = self.lease(made, (0, -1, "undo"))
        self.assertProblem(self.server.delete(f"/semaphores/id:{made}"), 409, "in-use", leases=[lease["ref"]])
        self.granted(self.server.delete(f"/semaphores/id:{made}", force="true"), 200)
        self.assertProblem(self.get_lease(lease), 410, "set-removed")
        made = self.make(values=[1])
        lease = self.lease(made, (0, -1, "undo"))
        self.assertEqual(Perl(self).use(made).ask("$sem->remove"), "ok 0 but true")
        self.assertProblem(self.server.release(lease), 410, "set-removed")

    def test_no_list_of_locks_shows_it(self):
        made = self.make(values=[2])
        lease = self.lease(made, (0, -1, "undo"))
        self.assertNotIn(lease["key"], [lock["key"] for lock in self.granted(self.server.get("/locks"), 200)["locks"]])
        listed = self.granted(self.server.get("/leases"), 200)["leases"]
        self.assertIn(lease["ref"], [one["ref"] for one in listed])
        self.release(lease)


if __name__ == "__main__":
    unittest.main()
