# Rows: X4
"""Apache httpd, Debian's, with `Mutex sysvsem`: its mutexes are `sysv:id:ID.0`, sets of one semaphore without a key."""

import os
import signal
import sys
import unittest

from others import OneLock, Others, Web, free_port, runs
from php_support import can_be, proc_sets

# httpd has this mutex while it talks to the program of a RewriteMap.
CONFIGURATION = """
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/pid
ErrorLog {folder}/errors
User www-data
Group www-data
LoadModule mpm_prefork_module {modules}/mod_mpm_prefork.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule rewrite_module {modules}/mod_rewrite.so
StartServers 2
MinSpareServers 2
Mutex sysvsem rewrite-map
DocumentRoot {folder}
RewriteEngine on
RewriteMap slow "prg:{python} {folder}/map.py"
RewriteRule ^/take$ /${{slow:up}} [L]
"""
# Reads a name a line, and answers it when there is a file `go`.
MAP = """
import os, sys, time
os.chdir({folder!r})
for line in sys.stdin:
    open("taken", "wb").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    print(line, end="", flush=True)
"""
MODULES = "/usr/lib/apache2/modules"
PROGRAM = "/usr/sbin/apache2"


@unittest.skipUnless(runs(PROGRAM, "-v"), "no Apache httpd here: apt-get install apache2-bin")
@unittest.skipUnless(can_be(33), "needs root: httpd becomes www-data")
class Httpd(OneLock, Others):
    def program(self):
        port = free_port()
        for name, text in {"httpd.conf": CONFIGURATION, "map.py": MAP, "up": ""}.items():
            with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
                file.write(text.format(folder=self.folder, port=port, modules=MODULES, python=sys.executable))
        command = [PROGRAM, "-DFOREGROUND", "-f", os.path.join(self.folder, "httpd.conf")]
        before = proc_sets()
        web = Web(self, port, command)
        (self.made,) = proc_sets().keys() - before.keys()
        self.name = f"sysv:id:{self.made}.0"
        return web

    @property
    def set(self):
        made = getattr(self, "made", None)
        return made if made in proc_sets() else None

    def test_it_is_seen_in_the_list_by_its_owner(self):
        self.program()
        listed = self.granted(self.server.get("/semaphores"), 200)["semaphores"]
        self.assertEqual([(one["key"], one["nsems"], one["mode"]) for one in listed if one["id"] == self.made],
                         [(0, 1, "0600")])

    def test_a_restart_makes_another_one(self):
        web = self.program()
        lease = self.granted(self.acquire())
        os.kill(web.server.pid, signal.SIGTERM)
        web.server.wait()
        self.assertIsNone(self.set)
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")


if __name__ == "__main__":
    unittest.main()
