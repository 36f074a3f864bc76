# Rows: C22 C23
"""The errno of a refusal over HTTP is what perl finds in $! in the same state; EAGAIN and EWOULDBLOCK are one."""

import unittest

from ipc_semaphore import BothSides, Perl, Server, eventually

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]


class Errnos(BothSides):
    def test_eagain_is_ewouldblock(self):
        made, perl = self.make_for_perl()
        names = "map { $!{$_} ? 1 : 0 } qw(EAGAIN EWOULDBLOCK)"
        self.assertEqual(perl.values(f"$sem->op(0, -1, IPC_NOWAIT) ? () : {names}"), [1, 1])
        self.assertProblem(self.op(made, (0, -1)), 423, "locked", errno="EAGAIN")
        self.assertProblem(self.op(made, (0, -1), wait="100ms"), 423, "wait-timeout", errno="EAGAIN")

    def test_eacces_is_the_mode_and_eperm_the_owner(self):
        server = Server(prefix=NOBODY).ends_with(self).start()
        made = self.make(mode="0644", key=0x5EC22)
        perl = Perl(self, NOBODY).use(made)
        self.assertEqual(perl.errno("$sem->op(0, 1, 0) || undef"), "EACCES")
        answer = server.post(f"/semaphores/id:{made}/op", ops="0:1")
        self.assertProblem(answer, 403, "permission-denied", errno="EACCES")
        self.assertEqual(perl.errno("$sem->setval(0, 1) || undef"), "EACCES")
        answer = server.request("PUT", f"/semaphores/id:{made}/0?value=1")
        self.assertProblem(answer, 403, "permission-denied", errno="EACCES")
        self.assertEqual(perl.errno("IPC::Semaphore->new(0x5EC22, 1, 0666 | IPC_CREAT)"), "EACCES")
        answer = server.json_post("/semaphores", {"key": 0x5EC22, "nsems": 1, "mode": "0666"})
        self.assertProblem(answer, 403, "permission-denied", errno="EACCES")
        self.assertEqual(perl.errno("$sem->remove || undef"), "EPERM")
        self.assertProblem(server.delete(f"/semaphores/id:{made}"), 403, "permission-denied", errno="EPERM")

    def test_efbig_is_a_number_past_the_set(self):
        made = self.make(nsems=3)
        self.assertEqual(Perl(self).use(made).errno("$sem->op(3, 1, 0) || undef"), "EFBIG")
        self.assertProblem(self.op(made, (3, 1)), 400, "out-of-range", errno="EFBIG", minimum=0, maximum=2)
        self.assertProblem(self.op(made, (70000, 1)), 400, "out-of-range", errno="EFBIG")

    def test_eidrm_is_a_set_that_went_while_one_waited(self):
        made, perl = self.make_for_perl()
        perl.send("$sem->op(0, -1, 0) || undef")
        pending = self.op_later(made, (0, -1))
        eventually(lambda: self.asleep(made) == 2, "both wait")
        self.granted(self.server.delete(f"/semaphores/id:{made}", force="true"), 200)
        self.assertEqual(perl.answer(), "undef EIDRM")
        self.assertProblem(pending.answer(), 410, "set-removed", errno="EIDRM")

    def test_enospc_is_a_limit_of_the_kernel(self):
        script = 'echo "32000 1024000000 500 1" > /proc/sys/kernel/sem && exec "$@"'
        server = Server(prefix=["unshare", "-i", "sh", "-c", script, "sh"]).ends_with(self).start()
        perl = Perl(self, ["nsenter", f"--ipc=/proc/{server.pid}/ns/ipc"])
        self.assertEqual(perl.errno("IPC::Semaphore->new(IPC_PRIVATE, 1, 0600 | IPC_CREAT)"), "ENOSPC")
        answer = server.json_post("/semaphores", {"key": "private", "nsems": 1})
        self.assertProblem(answer, 507, "kernel-limit", errno="ENOSPC", limit="SEMMNI", value=1)


if __name__ == "__main__":
    unittest.main()
