# Rows: C25
"""Private sets, which the module has on its list: made over HTTP, locked by their id, used by Perl by their id."""

import unittest

from perlside import Path, ipcs


class Private(Path):
    def test_another_one_each_time(self):
        ids = []
        for _ in range(2):
            answer = self.server.json_post("/semaphores", {"key": "private", "nsems": 1, "values": [3]})
            self.assertEqual(answer.status, 201, answer)
            ids.append(answer["id"])
            self.assertEqual(answer.headers["Location"], f"/semaphores/id:{answer['id']}")
        self.assertNotEqual(*ids)
        rows = {row["id"]: row for row in ipcs()}
        self.assertEqual([rows[number]["key"] for number in ids], [0, 0])
        perl = self.perl()
        perl.do(f"my $id = {ids[0]}; $p = bless \\$id, 'IPC::Semaphore'; 1")
        leases = [self.granted(self.server.acquire(f"sysv:id:{ids[0]}.0")) for _ in range(2)]
        self.assertEqual(perl.list("$p->getall"), [1])
        self.assertTrue(perl.do("$p->op(0, -1, SEM_UNDO | IPC_NOWAIT)"))
        self.assertProblem(self.server.acquire(f"sysv:id:{ids[0]}.0"), 423, "locked")
        for lease in leases:
            self.granted(self.server.release(lease), 200)
        perl.exit()
        eye = self.perl()
        self.assertEqual(eye.list(f"my $id = {ids[0]}; (bless \\$id, 'IPC::Semaphore')->getall"), [3])

    def test_perl_makes_one(self):
        perl = self.perl()
        number = perl.do("$p = IPC::Semaphore->new(IPC_PRIVATE, 1, IPC_CREAT | 0600); $p->op(0, 1, 0); $p->id")
        lease = self.granted(self.server.acquire(f"sysv:id:{number}.0"))
        self.assertFalse(perl.do("$p->op(0, -1, IPC_NOWAIT)"))
        self.granted(self.server.release(lease), 200)
        self.assertTrue(perl.do("$p->op(0, -1, IPC_NOWAIT)"))
        self.assertProblem(self.server.acquire(f"sysv:id:{number}.0"), 423, "locked")
        perl.do("$p->remove")


if __name__ == "__main__":
    unittest.main()
