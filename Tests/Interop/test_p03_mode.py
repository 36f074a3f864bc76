# Rows: P3
"""The permission bits of new sets, execute bits included, are the same whichever side makes them."""

import unittest

from ipc_semaphore import BothSides, Perl, ipcs


class Mode(BothSides):
    def test_all_nine_bits_are_kept(self):
        perl = Perl(self)
        for mode in (0o000, 0o111, 0o600, 0o666, 0o700, 0o777):
            with self.subTest(f"{mode:04o}"):
                ours = self.make(mode=f"{mode:04o}", values=[1])
                theirs = self.forget(perl.value(f"IPC::Semaphore->new(IPC_PRIVATE, 1, {mode:#o} | IPC_CREAT)->id"
                                                .replace("0o", "0")))
                modes = {row["id"]: row["mode"] for row in ipcs()}
                self.assertEqual((modes[ours], modes[theirs]), (mode, mode))
                self.assertEqual(perl.use(ours).value("$sem->stat->mode & 0777"), mode)
                self.assertEqual(self.get(theirs)["mode"], f"{mode:04o}")

    def test_without_a_mode_it_is_0600_and_short_text_is_the_same(self):
        modes = {self.make(): 0o600, self.make(mode="640"): 0o640, self.make(mode="0"): 0}
        shown = {row["id"]: row["mode"] for row in ipcs()}
        for set_id, mode in modes.items():
            self.assertEqual(shown[set_id], mode)

    def test_a_set_opens_only_with_the_bits_it_has(self):
        # Apache::Session asks for the execute bits too.
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        perl = Perl(self, prefix=other)
        for mode, errno in (("0666", "EACCES"), ("0777", None)):
            key = 0x5E030 + int(mode, 8)
            self.make(key=key, mode=mode)
            expression = f"IPC::Semaphore->new({key}, 1, 0700)"
            if errno:
                self.assertEqual(perl.errno(expression), errno)
            else:
                self.assertGreaterEqual(perl.value(expression + "->id"), 0)

    def test_a_number_is_no_mode(self):
        answer = self.server.json_post("/semaphores", {"key": "private", "nsems": 1, "mode": 600})
        self.assertProblem(answer, 400, "invalid-parameter", parameter="mode")
        answer = self.server.json_post("/semaphores", {"key": "private", "nsems": 1, "mode": "01000"})
        self.assertProblem(answer, 400, "out-of-range", parameter="mode")


if __name__ == "__main__":
    unittest.main()
