# Rows: P18 C20
"""stat and GET: all eight fields are equal on both sides, and the times move with the same calls."""

import datetime
import unittest

from ipc_semaphore import BothSides, Perl, next_second, proc_sets


class Stat(BothSides):
    def same(self, perl, set_id):
        """Both sides agree; answers what HTTP says."""
        shown = self.get(set_id)
        stat = [shown[name] for name in ("uid", "gid", "cuid", "cgid")]
        stat += [int(shown["mode"], 8), shown["nsems"], shown["otime_seconds"], shown["ctime_seconds"]]
        self.assertEqual(stat, perl.values("map { $_ } (stat_of($sem))[0..3], (stat_of($sem))[4] & 0777, "
                                           "(stat_of($sem))[5..7]"))
        for name in ("otime", "ctime"):
            seconds = shown[name + "_seconds"]
            text = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")
            self.assertEqual(shown[name], text if seconds else None)
        return shown

    def test_every_field_is_equal_whoever_made_the_set(self):
        perl = Perl(self)
        theirs = self.forget(perl.value("IPC::Semaphore->new(0x5E180, 4, 0640 | IPC_CREAT)->id"))
        ours = self.make(nsems=7, mode="0711", values=[1] * 7)
        self.granted(self.patch(ours, {"uid": 1234, "gid": 65534}), 200)
        for set_id, key in ((theirs, 0x5E180), (ours, 0)):
            self.assertEqual(self.same(perl.use(set_id), set_id)["key"], key)

    def test_a_set_that_was_never_operated_on_has_no_otime(self):
        key = 0x5E181
        perl = Perl(self)
        self.assertRegex(perl.ask(f"($sem = IPC::Semaphore->new({key}, 1, 0666 | IPC_CREAT)) ? 1 : undef"), "ok")
        made = next(number for number, row in proc_sets().items() if row["key"] == key)
        self.forget(made)
        shown = self.same(perl, made)
        self.assertIsNone(shown["otime"])
        self.assertEqual(shown["otime_seconds"], 0)

    def test_who_waits_for_the_otime_of_a_set_made_over_http_goes_on(self):
        for members in ({}, {"values": [1]}, {"values": [32767]}, {"nsems": 3, "mode": "0000"}, {"mode": "0666"}):
            made = self.make(**members)
            shown = self.get(made)
            self.assertGreater(shown["otime_seconds"], 0, members)
            self.assertEqual(shown["values"], members.get("values", [0] * members.get("nsems", 1)))

    def test_otime_moves_with_op_and_ctime_with_the_others(self):
        made, perl = self.make_for_perl(nsems=2)
        shown = self.same(perl, made)
        calls = (
            ("otime_seconds", lambda: self.granted(self.op(made, (0, 1)), 200)),
            ("otime_seconds", lambda: perl.values("$sem->op(0, -1, 0)")),
            ("ctime_seconds", lambda: self.granted(self.put(f"/semaphores/id:{made}/0", value=3), 200)),
            ("ctime_seconds", lambda: self.granted(self.put(f"/semaphores/id:{made}/values", values=[1, 1]), 200)),
            ("ctime_seconds", lambda: self.granted(self.patch(made, {"mode": "0600"}), 200)),
            ("ctime_seconds", lambda: perl.value("defined $sem->setval(0, 2) ? 1 : undef")),
        )
        for moved, call in calls:
            next_second(shown["otime_seconds"], shown["ctime_seconds"])
            call()
            before, shown = shown, self.same(perl, made)
            for name in ("otime_seconds", "ctime_seconds"):
                if name == moved:
                    self.assertGreater(shown[name], before[name])
                else:
                    self.assertEqual(shown[name], before[name])


if __name__ == "__main__":
    unittest.main()
