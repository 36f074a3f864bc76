# Rows: X2
"""uWSGI, Debian's, with `--lock-engine ipcsem --ftok FILE`: its user locks are `path:` and that file."""

import os
import unittest

from others import OneLock, Others, Web, free_port, runs

APPLICATION = """
import os, time, uwsgi

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/take":
        uwsgi.lock({number})
        open("taken", "wb").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
        uwsgi.unlock({number})
    return [b"done"]
"""
PROGRAM = ("uwsgi", "--plugin", "python3")


@unittest.skipUnless(runs(*PROGRAM, "--version"), "no uWSGI here: apt-get install uwsgi-core uwsgi-plugin-python3")
class UWSGI(OneLock, Others):
    def setUp(self):
        super().setUp()
        self.file = os.path.join(self.folder, "app.py")
        self.name = f"path:{self.file}"
        self.use(0)

    def use(self, number):
        """What follows is about this lock of uWSGI's."""
        with open(self.file, "w", encoding="ascii") as file:
            file.write(APPLICATION.format(number=number))
        self.parameters = {"project": number + 1}
        status = os.stat(self.file)
        self.key = (number + 1) << 24 | (status.st_dev & 0xFF) << 16 | status.st_ino & 0xFFFF

    def program(self):
        port = free_port()
        command = [*PROGRAM, "--master", "--no-orphans", "--workers", "2", "--locks", "1", "--lock-engine", "ipcsem",
                   "--ftok", self.file, "--http-socket", f"127.0.0.1:{port}", "--wsgi-file", "app.py"]
        return Web(self, port, command)

    def test_lock_1_is_project_2(self):
        self.use(1)
        web = self.program()
        web.take()
        self.refused()
        self.parameters = {"project": 1}
        self.server.release(self.granted(self.acquire()))
        web.give()

    def test_a_start_puts_a_lease_out(self):
        web = self.program()
        lease = self.granted(self.acquire())
        web.stop()
        self.later_than_the_set()
        web = self.program()
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "rewritten")
        web.take()
        web.give()


if __name__ == "__main__":
    unittest.main()
