# Rows: A16 A17
"""Kernel limits: perl and HTTP run into the same ones, and see the same numbers as ipcs -l."""

import re
import subprocess
import unittest

from ipc_semaphore import BothSides, Perl, Server


class Apart(BothSides):
    """The daemon and perl share an IPC namespace of their own, in which the limits can be lowered."""

    def lowered(self, limits):
        """A daemon and a perl in a namespace with these kernel.sem limits."""
        script = f'echo "{limits}" > /proc/sys/kernel/sem && exec "$@"'
        server = Server(prefix=["unshare", "-i", "sh", "-c", script, "sh"]).ends_with(self).start()
        return server, Perl(self, ["nsenter", f"--ipc=/proc/{server.pid}/ns/ipc"])

    def test_no_more_sets(self):
        server, perl = self.lowered("32000 1024000000 500 3")
        free = server.get("/semaphores")["free"]["sets"]
        made = [server.json_post("/semaphores", {"key": "private", "nsems": 1}) for _ in range(free)]
        self.assertEqual({answer.status for answer in made}, {201})
        create = "($sem = IPC::Semaphore->new(IPC_PRIVATE, 1, 0600 | IPC_CREAT))"
        self.assertEqual(perl.errno(create), "ENOSPC")
        answer = server.json_post("/semaphores", {"key": "private", "nsems": 1})
        self.assertProblem(answer, 507, "kernel-limit", errno="ENOSPC", limit="SEMMNI", value=3)
        self.granted(server.delete(f"/semaphores/id:{made[0]['id']}"), 200)
        theirs = perl.value(create + "->id")
        self.assertEqual(server.json_post("/semaphores", {"key": "private", "nsems": 1}).status, 507)
        self.assertEqual(perl.ask("$sem->remove ? 1 : undef"), "ok 1")
        ours = self.granted(server.json_post("/semaphores", {"key": "private", "nsems": 1}))["id"]
        self.assertNotEqual(ours, theirs)

    def test_no_more_semaphores(self):
        server, perl = self.lowered("32000 50 500 100")
        free = server.get("/semaphores")["free"]["semaphores"]
        self.assertEqual(perl.errno(f"IPC::Semaphore->new(IPC_PRIVATE, {free + 1}, 0600 | IPC_CREAT)"), "ENOSPC")
        answer = server.json_post("/semaphores", {"key": "private", "nsems": free + 1})
        self.assertProblem(answer, 507, "kernel-limit", errno="ENOSPC", limit="SEMMNS", value=50)
        self.granted(server.json_post("/semaphores", {"key": "private", "nsems": free}))
        self.assertEqual(server.get("/semaphores")["free"]["semaphores"], 0)
        self.assertEqual(perl.errno("IPC::Semaphore->new(IPC_PRIVATE, 1, 0600 | IPC_CREAT)"), "ENOSPC")

    def test_no_larger_set_and_no_longer_list(self):
        server, perl = self.lowered("20 1024000000 7 100")
        made = self.granted(server.json_post("/semaphores", {"key": "private", "nsems": 20}))["id"]
        perl.use(made)
        self.assertEqual(perl.errno("IPC::Semaphore->new(IPC_PRIVATE, 21, 0600 | IPC_CREAT)"), "EINVAL")
        answer = server.json_post("/semaphores", {"key": "private", "nsems": 21})
        self.assertProblem(answer, 400, "out-of-range", errno="EINVAL", limit="SEMMSL", maximum=20)
        self.assertEqual(perl.errno("$sem->op((0, 1, 0) x 8) || undef"), "E2BIG")
        answer = server.post(f"/semaphores/id:{made}/op", ops=",".join(["0:1"] * 8))
        self.assertProblem(answer, 400, "out-of-range", errno="E2BIG", limit="SEMOPM", maximum=7)

    def test_the_limits_are_those_of_ipcs_and_the_kernel(self):
        for limits in ("32000 1024000000 500 32000", "250 32000 32 128"):
            server, _ = self.lowered(limits)
            shown = server.get("/semaphores")["limits"]
            semmsl, semmns, semopm, semmni = map(int, limits.split())
            self.assertEqual(
                shown, {"semmsl": semmsl, "semmns": semmns, "semopm": semopm, "semmni": semmni, "semvmx": 32767})
            command = ["nsenter", f"--ipc=/proc/{server.pid}/ns/ipc", "ipcs", "-s", "-l"]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            numbers = [int(number) for number in re.findall(r"= (\d+)", text)]
            self.assertEqual(numbers, [semmni, semmsl, semmns, semopm, 32767])


if __name__ == "__main__":
    unittest.main()
