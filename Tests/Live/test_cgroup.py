"""Leases that end with the last process of a cgroup: bind=cgroup, on the Unix socket."""

import os
import signal
import statistics
import subprocess
import sys
import time
import unittest

from cgroups import Cgroup, why_none
from processes import SECONDS_UNTIL_GONE, Client, ProcessTest
from users import AS_NOBODY, needs_nobody

WHY_NONE = why_none()
# Forks a grandchild in a session of its own, which nobody waits for, and lives on.
DAEMONIZE = "setsid sh -c 'trap \"\" HUP; sleep 600' >/dev/null 2>&1 </dev/null & echo forked; sleep 600"


@unittest.skipIf(WHY_NONE, WHY_NONE)
class CgroupTest(ProcessTest):
    def cgroup(self, below=None):
        cgroup = Cgroup(below)
        self.addCleanup(cgroup.remove)
        return cgroup

    def member(self, cgroup, *command):
        process = cgroup.run(*(command or ("sleep", "600")))
        self.addCleanup(self.bury, process)
        return process

    def named(self, cgroup, key=None, **more):
        """A lease of the test's own process that ends with a cgroup by its name."""
        lease = self.granted(
            self.server.over_unix.acquire(key or self.key(), bind=f"cgroup:{cgroup.path}", ttl=0, **more))
        self.assertEqual(lease["bind"], "cgroup")
        return lease


class Ends(CgroupTest):
    def test_a_lease_ends_with_the_last_process_of_its_cgroup(self):
        times = []
        for _ in range(20):
            cgroup = self.cgroup()
            client = Client(self.server, self.key(), "cgroup", cgroup.enter())
            self.addCleanup(client.close)
            self.assertEqual(client.status, 201, client.text)
            self.assertEqual(self.server.lock(self.key())["holders"][0]["bind"], "cgroup")
            other = self.member(cgroup)
            client.close()
            time.sleep(0.02)
            self.assertProblem(self.server.acquire(self.key()), 423, "locked")
            waiter = self.server.acquire_later(self.key())
            begun = time.monotonic()
            other.kill()
            lease = self.granted(waiter.answer())
            times.append(time.monotonic() - begun)
            self.server.release(lease)
        print(f"\nlock free after the last process of its cgroup: median {statistics.median(times) * 1000:.1f} ms, "
              f"worst {max(times) * 1000:.1f} ms", file=sys.stderr)
        self.assertLess(statistics.median(times), SECONDS_UNTIL_GONE)

    def test_one_that_is_removed_as_soon_as_it_is_empty(self):
        # The kernel tells of changes at most every 10 ms, and of none of a cgroup that was removed meanwhile.
        for _ in range(20):
            cgroup = self.cgroup()
            process = cgroup.run("sleep", "600")
            lease = self.named(cgroup)
            process.kill()
            process.wait()
            os.rmdir(cgroup.folder)
            self.over(lease)

    def test_children_that_fork_on_and_leave_the_session_still_count(self):
        cgroup = self.cgroup()
        first = cgroup.run("sh", "-c", DAEMONIZE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(first.stdout.close)
        self.addCleanup(self.bury, first)
        self.assertEqual(first.stdout.readline(), "forked\n")
        lease = self.named(cgroup)
        first.kill()
        first.wait()
        time.sleep(0.1)
        self.assertFalse(cgroup.is_empty)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        cgroup.kill()
        self.over(lease)

    def test_what_runs_below_it_counts_too(self):
        above = self.cgroup()
        below = self.cgroup(above)
        process = self.member(below)
        lease = self.named(above)
        time.sleep(0.05)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        process.kill()
        self.over(lease)

    def test_one_that_is_frozen_and_thawed_lives(self):
        cgroup = self.cgroup()
        process = self.member(cgroup)
        lease = self.named(cgroup)
        for state in "1010":
            with open(f"{cgroup.folder}/cgroup.freeze", "w", encoding="ascii") as file:
                file.write(state)
            time.sleep(0.03)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        process.kill()
        self.over(lease)

    def test_one_that_was_empty_takes_leases_again(self):
        cgroup = self.cgroup()
        for _ in range(3):
            process = self.member(cgroup)
            lease = self.named(cgroup)
            process.kill()
            self.over(lease)
            self.assertProblem(
                self.server.over_unix.acquire(self.key(), bind=f"cgroup:{cgroup.path}"), 422, "no-such-process",
                parameter="bind", value="cgroup")

    def test_a_retry_gets_the_lease_and_another_cgroup_does_not(self):
        first, second = self.cgroup(), self.cgroup()
        self.member(first)
        self.member(second)
        headers = {"Idempotency-Key": "once"}
        target = f"/locks/{self.key()}/acquire?ttl=0&bind=cgroup:"
        lease = self.granted(self.server.over_unix.request("POST", target + first.path, headers=headers))
        again = self.granted(self.server.over_unix.request("POST", target + first.path, headers=headers), 200)
        self.assertEqual(again["lease"], lease["lease"])
        self.assertProblem(
            self.server.over_unix.request("POST", target + second.path, headers=headers), 422, "idempotency-mismatch")


class Refusals(CgroupTest):
    def test_only_the_unix_socket_tells_who_asks(self):
        for bind in ("cgroup", "cgroup:/a"):
            problem = self.assertProblem(
                self.server.acquire(self.key(), bind=bind), 400, "invalid-parameter", parameter="bind", value=bind)
            self.assertIn("Unix socket", problem["detail"])

    def test_what_is_no_cgroup(self):
        for bind in ("cgroup:", "cgroup:/", "cgroup:a", "cgroup:/a/../b", "cgroup:/./a", "cgroup:/" + "a" * 1024):
            self.assertProblem(
                self.server.over_unix.acquire(self.key(), bind=bind), 400, "invalid-parameter", parameter="bind")
        for path in ("/leasehold-none", "/leasehold-none/below", "/cgroup.procs"):
            problem = self.assertProblem(
                self.server.over_unix.acquire(self.key(), bind=f"cgroup:{path}"), 422, "no-such-process",
                parameter="bind", value="cgroup")
            for word in (path, "bind=pid:N", "bind=connection", "ttl"):
                self.assertIn(word, problem["detail"])

    def test_an_empty_one_and_the_root(self):
        problem = self.assertProblem(
            self.server.over_unix.acquire(self.key(), bind=f"cgroup:{self.cgroup().path}"), 422, "no-such-process")
        self.assertIn("empty", problem["detail"])
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            if "0::/\n" not in file.readlines():
                return
        problem = self.assertProblem(
            self.server.over_unix.acquire(self.key(), bind="cgroup"), 422, "no-such-process")
        self.assertIn("root cgroup", problem["detail"])

    @needs_nobody
    def test_one_that_the_caller_may_not_see(self):
        os.chmod(self.server.unix, 0o666)
        cgroup = self.cgroup()
        self.member(cgroup)
        seen = self.client(self.key(), f"cgroup:{cgroup.path}", prefix=AS_NOBODY)
        self.assertEqual(seen.status, 201, seen.text)
        os.chmod(cgroup.folder, 0o700)
        hidden = self.client(self.key("other"), f"cgroup:{cgroup.path}", prefix=AS_NOBODY)
        self.assertEqual(hidden.status, 422, hidden.text)
        own = self.client(self.key("own"), "cgroup", prefix=cgroup.enter(*AS_NOBODY))
        self.assertEqual(own.status, 201, own.text)


class Served(CgroupTest):
    def serve(self, *prefix):
        """Another service, which is started in a way of its own."""
        return type(self.server)(prefix=prefix).ends_with(self).start()

    def test_one_that_the_service_itself_runs_in_would_never_be_empty(self):
        above = self.cgroup()
        own = self.cgroup(above)
        server = self.serve(*own.enter())
        for bind, prefix in (("cgroup", own.enter()), ("cgroup", above.enter()), (f"cgroup:{own.path}", ()),
                             (f"cgroup:{above.path}", ()), (f"cgroup:/{above.path}/", ())):
            with self.subTest(bind=bind, prefix=prefix):
                client = Client(server, self.key(), bind, prefix)
                self.addCleanup(client.close)
                self.assertEqual(client.status, 422, client.text)
                for word in ("The service itself", above.path, "of its own", "bind=pid:N"):
                    self.assertIn(word, client.text)
        below, beside = self.cgroup(own), self.cgroup(above)
        for number, cgroup in enumerate((below, beside)):
            client = Client(server, self.key(str(number)), "cgroup", cgroup.enter())
            self.addCleanup(client.close)
            self.assertEqual(client.status, 201, client.text)

    @needs_nobody
    def test_a_service_that_may_not_look_at_a_container_takes_no_names_from_it(self):
        cgroup = self.cgroup()
        self.member(cgroup)
        server = self.serve(*AS_NOBODY)
        named = f"cgroup:{cgroup.path}"
        for prefix in (("unshare", "--cgroup"), ()):
            client = Client(server, self.key(), named, prefix)
            self.addCleanup(client.close)
            self.assertEqual(client.status, 422, client.text)
            self.assertIn("as the service's user", client.text)
        client = Client(server, self.key(), named, AS_NOBODY)
        self.addCleanup(client.close)
        self.assertEqual(client.status, 201, client.text)


class Unmounted(CgroupTest):
    def test_a_service_that_sees_none_says_what_else_there_is(self):
        if os.getuid() != 0:
            self.skipTest("needs to unmount")
        # What lies below is hidden as well: a mount over it is the only one left of its kind that has this path.
        hide = ("unshare", "--mount", "sh", "-c",
                "awk '/ - cgroup2 /{print $5}' /proc/self/mountinfo | xargs -r umount -l; exec \"$0\" \"$@\"")
        server = type(self.server)(prefix=hide).ends_with(self).start()
        problem = self.assertProblem(
            server.over_unix.acquire(self.key(), bind="cgroup"), 422, "no-such-process", parameter="bind",
            value="cgroup")
        for word in ("cgroup v2", "bind=pid:N", "bind=connection", "ttl"):
            self.assertIn(word, problem["detail"])


class Restarts(CgroupTest):
    arguments = ("--recovery-grace", "300ms")

    def test_bindings_survive_a_daemon_that_is_killed(self):
        living, dying, removed = self.cgroup(), self.cgroup(), self.cgroup()
        last = self.member(living)
        kept = self.named(living, self.key("kept"), owner="k" * 100)
        self.member(dying)
        self.member(removed)
        lost = [self.named(cgroup, self.key(name)) for cgroup, name in ((dying, "dying"), (removed, "removed"))]
        self.server.kill()
        dying.kill()
        removed.remove()
        self.server.start()
        for lease in lost:
            self.over(lease)
        shown = self.granted(self.server.get(f"/leases/{kept['lease']}"), 200)
        self.assertEqual((shown["bind"], shown["owner"]), ("cgroup", "k" * 100))
        time.sleep(0.5)  # the grace is over
        self.assertEqual(self.server.get(f"/leases/{kept['lease']}").status, 200)
        last.send_signal(signal.SIGTERM)
        self.over(kept)


if __name__ == "__main__":
    unittest.main()
