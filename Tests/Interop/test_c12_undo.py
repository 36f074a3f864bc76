# Rows: C12 C13 C14
"""undo => 0: a slot that no exit gives back; release, which adds one and asks nothing."""

import unittest

from perlside import Path, Server, eventually


class Endless(Path):
    ours = False

    def setUp(self):
        super().setUp()
        if self.ours:
            self.release(self.leased())
        self.peer = self.user()

    def test_perls_slot_is_gone_with_it_until_somebody_releases(self):
        self.assertTrue(self.peer.do("$c->acquire(0, 0, -1, 0)"))
        self.peer.exit()
        self.assertEqual(self.user_values(), [0])
        self.assertProblem(self.acquire(), 423, "locked")
        waiter = self.acquire_later()
        self.sleeping(1)
        self.assertTrue(self.user().do("$c->release"))
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.user_values(), [1])

    def test_with_undo_it_comes_back(self):
        self.assertTrue(self.peer.do("$c->acquire"))
        waiter = self.acquire_later()
        self.sleeping(1)
        self.peer.kill()
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.user_values(), [1])

    def test_a_lease_without_undo_never_ends_by_itself(self):
        server = Server("--recovery-grace", "0s").ends_with(self).start()
        connection = server.connection()
        lease = self.granted(server.acquire(self.name, undo="false", connection=connection))
        self.assertEqual((lease["expires_at"], lease["expires_in_ms"]), (None, None))
        connection.close()
        self.assertEqual(server.terminate(), 0)
        self.assertFalse(self.peer.do("$c->acquire"))
        server.start()
        found = self.granted(server.get(f"/leases/{lease['lease']}"), 200)
        self.assertEqual((found["expires_at"], found["key"]), (None, self.name))
        self.assertIn(lease["ref"], [one["ref"] for one in server.get("/leases")["leases"]])
        self.assertEqual(self.user_values(), [0])
        server.restart()
        self.peer.send("$c->acquire(wait => 1)")
        self.sleeping(1)
        self.assertEqual(server.release(lease).status, 200)
        self.assertEqual(self.peer.answer(), [1])
        self.peer.exit()
        self.assertEqual(self.user_values(), [1])

    def test_what_does_not_go_together(self):
        for name, value in (("ttl", "5s"), ("bind", "connection")):
            answer = self.acquire(undo="false", **{name: value})
            self.assertProblem(answer, 400, "invalid-parameter", parameter=name)
        answer = self.at_http(self.name, "hold", "POST", undo="false")
        self.assertProblem(answer, 400, "invalid-parameter", parameter="bind")
        self.assertProblem(self.acquire(undo="no"), 400, "invalid-parameter", parameter="undo")
        self.assertEqual(self.user_values(), [1])

    def test_peerfrees_the_slot_of_a_lease_and_the_lease_adds_another(self):
        lease = self.leased(undo="false")
        self.assertTrue(self.peer.do("$c->release"))
        self.assertEqual(self.user_values(), [1])
        self.assertTrue(self.peer.do("$c->acquire"))
        self.release(lease)
        self.assertEqual(self.user_values(), [1])
        self.peer.exit()
        self.assertEqual(self.user_values(), [2])  # as after a second release in Perl

    def test_perl_frees_the_slot_of_a_lease_and_http_takes_it(self):
        lease = self.leased(undo="false")
        waiter = self.acquire_later()
        self.sleeping(1)
        self.assertTrue(self.peer.do("$c->release"))
        second = self.granted(waiter.answer())
        self.assertEqual(self.user_values(), [0])
        self.release(second)
        third = self.leased()
        self.release(third)
        self.release(lease)
        self.assertEqual(self.user_values(), [2])
        # Two slots now: for Perl, and for leases where nobody but Perl set the limit.
        leases = [self.leased()]
        if self.ours:
            self.assertProblem(self.acquire(), 423, "locked", limit=1)
            self.assertTrue(self.peer.do("$c->acquire"))
        else:
            leases.append(self.leased())
        self.assertFalse(self.peer.do("$c->acquire"))
        for one in leases:
            self.release(one)


class EndlessOnOurs(Endless):
    """The same on a set that Leasehold made."""

    ours = True


class Release(Path):
    def test_a_lease_is_given_back_once(self):
        perl = self.user()
        lease = self.leased()
        answer = self.at_http(self.name, "release", "POST", lease=lease["lease"])
        self.assertEqual((answer.status, answer["already"]), (200, False), answer)
        self.assertEqual(perl.list("$c->getall"), [1])
        self.assertEqual(self.release(lease)["already"], True)
        self.assertEqual(perl.list("$c->getall"), [1])

    def test_release_and_then_the_end_of_the_connection(self):
        perl = self.user()
        connection = self.server.connection()
        lease = self.granted(self.server.acquire(self.name, bind="connection", connection=connection))
        self.release(lease)
        connection.close()
        # The next answer comes after the service has seen the end of that connection, or before: neither may add one.
        for _ in range(3):
            self.release(self.leased())
        self.assertEqual(perl.list("$c->getall"), [1])

    def test_perls_release_with_undo_on_leaves_two(self):
        perl = self.user()
        perl.do("$c->acquire")
        perl.do("$c->release")
        self.assertEqual(self.all, [1])
        perl.exit()
        key = f"{self.key_of() & 0xFFFFFFFF:#x}"
        self.assertEqual(self.server.get(f"/semaphores/{key}")["values"], [2])
        self.assertEqual(self.all, [2])
        # Both slots are there for everybody: nobody knows better.
        leases = [self.leased(), self.leased()]
        self.assertFalse(self.user().do("$c->acquire"))
        for lease in leases:
            self.release(lease)
        self.assertEqual(self.all, [2])

    def test_killed_clients_give_their_slot_back_once(self):
        perl = self.user(value=2)
        connection = self.server.connection()
        self.granted(self.server.acquire(self.name, bind="connection", connection=connection))
        self.assertEqual(self.all, [1])
        connection.close()
        eventually(lambda: self.all == [2], "the slot is back")
        self.assertTrue(perl.do("$c->acquire"))
        perl.kill()
        self.assertEqual(self.all, [2])


if __name__ == "__main__":
    unittest.main()
