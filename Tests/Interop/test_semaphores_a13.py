# Rows: A13 A14 C21 C28
"""DELETE /semaphores/{set} as ipcrm: by key and by id, and never under a lock in use unless by force."""

import subprocess
import unittest

from perlside import Apache, Path, ipcs, options, quoted


class Sessions(Apache):
    def delete(self, name=None, **parameters):
        return self.server.delete(f"/semaphores/{name or self.semkey}", **parameters)

    def there(self):
        return [row for row in ipcs() if row["key"] == self.semkey]

    def test_the_default_set(self):
        # From here on the service knows whose layout it is; it never guesses it from the values.
        self.release(self.granted(self.at_http(self.name, "acquire", "POST", mode="read")))
        perl = self.perl()
        perl.list(f"($l, $s) = locker({quoted(self.session)})")
        perl.do("$l->acquire_read_lock($s)")
        self.assertProblem(self.delete("31818"), 409, "in-use")
        perl.do("$l->release_read_lock($s)")
        self.granted(self.delete("31818"), 200)
        self.assertEqual([row for row in ipcs() if row["key"] == 31818], [])
        perl.list(f"($l, $s) = locker({quoted(self.session)}, NSems => 16)")
        perl.do("$l->acquire_read_lock($s)")
        answer = self.at_http(self.name, "acquire", "POST", mode="read", nsems=32)
        self.assertProblem(answer, 409, "nsems-mismatch", nsems=16, asked_nsems=32)
        perl.do("$l->remove")

    def test_any_sessions_lease_waiter_or_native_holder_is_in_use(self):
        lease = self.leased("read")
        self.assertProblem(self.delete(), 409, "in-use")
        self.release(lease)
        other = self.locker(session="1" if self.session[0] != "1" else "2")
        other.do("$l->acquire_write_lock($s)")
        self.assertProblem(self.delete(), 409, "in-use")
        other.do("$l->release_write_lock($s)")
        perl = self.locker("$l->acquire_write_lock($s)")
        waiter = self.acquire_later("read")
        self.assertProblem(self.delete(), 409, "in-use")
        perl.kill()
        self.release(self.granted(waiter.answer()))
        self.granted(self.delete(), 200)
        self.assertEqual(self.there(), [])
        self.assertProblem(self.delete(), 404, "no-such-set")

    def test_by_force(self):
        lease = self.leased("read")
        perl = self.locker("$l->acquire_read_lock($s)")
        waiter = self.acquire_later("write")
        self.writer_waits()
        self.granted(self.delete(force="true"), 200)
        self.assertEqual(self.there(), [])
        self.assertProblem(self.server.release(lease), 410, "set-removed")
        self.assertProblem(waiter.answer(), 410, "set-removed", errno="EIDRM")

    def test_by_id_and_by_hexadecimal_key_as_ipcrm_does(self):
        for how in ("id", "hex", "-s", "-S"):
            with self.subTest(how=how):
                perl = self.locker("$l->acquire_read_lock($s); $l->release_read_lock($s)", SemaphoreKey=self.semkey)
                number = self.there()[0]["id"]
                self.assertIn(number, [row["id"] for row in self.server.get("/semaphores")["semaphores"]])
                if how.startswith("-"):
                    subprocess.run(["ipcrm", how, str(number if how == "-s" else self.semkey)], check=True)
                    self.assertProblem(self.delete(), 404, "no-such-set", errno="ENOENT")
                    self.assertProblem(self.delete(f"id:{number}"), 404, "no-such-set", errno="EINVAL")
                else:
                    self.granted(self.delete(f"id:{number}" if how == "id" else f"{self.semkey:#x}"), 200)
                self.assertEqual(self.there(), [])


class Slots(Path):
    def test_a_path_set(self):
        for ours in (False, True):
            perl = None if ours else self.user()
            lease = self.leased()
            perl = perl or self.user()
            key = self.key_of() & 0xFFFFFFFF
            self.assertProblem(self.server.delete(f"/semaphores/{key:#x}"), 409, "in-use")
            self.release(lease)
            self.granted(self.server.delete(f"/semaphores/{key:#x}"), 200)
            self.assertFalse(perl.do("$c->acquire"))
            self.assertEqual(perl.errno, "EINVAL")


if __name__ == "__main__":
    unittest.main()
