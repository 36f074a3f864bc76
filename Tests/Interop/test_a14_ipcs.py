# Rows: A14 C28
"""ipcs and ipcrm beside GET and DELETE /semaphores: the same rows, and what one removes is gone for the other."""

import subprocess
import unittest

from ipc_semaphore import BothSides, Perl, ipcs, proc_sets


class Ipcs(BothSides):
    def rows(self):
        listed = self.granted(self.server.get("/semaphores", limit=1000), 200)["semaphores"]
        return sorted((one["key"], one["id"], int(one["mode"], 8), one["nsems"]) for one in listed)

    def test_the_rows_are_those_of_ipcs(self):
        self.make(key=0x5EA14, nsems=3, mode="0640")
        self.make(key=-559038737, mode="0666")
        self.make()
        self.forget(Perl(self).value("IPC::Semaphore->new(0x5EA15, 2, 0600 | IPC_CREAT)->id"))
        self.assertEqual(self.rows(), sorted((row["key"], row["id"], row["mode"], row["nsems"]) for row in ipcs()))
        self.assertGreaterEqual(len(self.rows()), 5)

    def test_what_ipcrm_removes_is_gone_over_http(self):
        by_id, by_key = self.make(), self.make(key=0x5EA16)
        subprocess.run(["ipcrm", "-s", str(by_id)], check=True)
        subprocess.run(["ipcrm", "-S", "0x5EA16"], check=True)
        for target in (f"id:{by_id}", f"id:{by_key}", "0x5EA16"):
            self.assertProblem(self.server.get(f"/semaphores/{target}"), 404, "no-such-set")
        self.assertFalse({by_id, by_key} & {row[1] for row in self.rows()})

    def test_what_http_removes_is_gone_in_ipcs(self):
        by_id, by_key = self.make(), self.make(key=0x5EA17)
        self.granted(self.server.delete(f"/semaphores/id:{by_id}"), 200)
        self.granted(self.server.delete("/semaphores/0x5EA17"), 200)
        self.assertFalse({by_id, by_key} & {row["id"] for row in ipcs()})
        self.assertFalse({by_id, by_key} & set(proc_sets()))


if __name__ == "__main__":
    unittest.main()
