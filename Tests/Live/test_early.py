"""Answers go out before libmicrohttpd gets to them, unless that sends in a way that nobody expects."""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from harness import Server, eventually, read_all

# A libmicrohttpd whose send(2) is looked for under this name: it sends by itself after so many honest calls.
SEND = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
ssize_t nd(int descriptor, const void *bytes, size_t count, int flags)
{
    static int honest = -1;
    if (honest < 0) { honest = atoi(getenv("HONEST_CALLS")); }
    if (honest == 0) { return syscall(SYS_sendto, descriptor, bytes, count, flags, NULL, 0); }
    honest--;
    ssize_t (*expected)(int, const void *, size_t, int) = dlsym(RTLD_DEFAULT, "send");
    return expected(descriptor, bytes, count, flags);
}
"""
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
REPEATED = "leasehold_http_repeated_answers_total"
LAST = HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


class EarlyAnswers(unittest.TestCase):
    def server(self, honest_calls):
        if not shutil.which("gcc"):
            self.skipTest("gcc cannot be had")
        found = re.search(r"libmicrohttpd\.so\.12 .*=> (\S+)", subprocess.getoutput("/sbin/ldconfig -p"))
        if not found:
            self.skipTest("libmicrohttpd cannot be found")
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        with open(found[1], "rb") as library:
            text = library.read()
        with open(os.path.join(folder, "libmicrohttpd.so.12"), "wb") as other:
            other.write(self.renamed(text, subprocess.getoutput(f"readelf -SW {found[1]}")))
        preload = os.path.join(folder, "send.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", preload, "-x", "c", "-"], input=SEND.encode(), check=True)
        return Server(prefix=[
            "env", f"LD_LIBRARY_PATH={folder}:{os.environ.get('LD_LIBRARY_PATH', '')}", f"LD_PRELOAD={preload}",
            f"HONEST_CALLS={honest_calls}"]).ends_with(self).start()

    def renamed(self, text, sections):
        """The library with another name in the entry of its symbol `send`: two letters less, as names share ends."""
        names = int(re.search(r"\.dynstr +STRTAB +\S+ +(\S+)", sections)[1], 16)
        for place in re.finditer(rb"send\0", text):
            entry, other = (struct.pack("<IBBHQQ", place.start() - names + at, 0x12, 0, 0, 0, 0) for at in (0, 2))
            if place.start() > names and entry in text:
                return text.replace(entry, other)
        self.fail("the library does not send")

    def answers(self, server):
        """How many answers come to two requests on one connection."""
        return server.raw(HEALTH + LAST).count(b"HTTP/1.1 200")

    def test_a_library_that_sends_otherwise_is_found_at_the_start(self):
        server = self.server(0)
        self.assertEqual(self.answers(server), 2)
        self.assertIn("a trial of the faster way failed", server.log_text())
        self.assertEqual(server.acquire("a").status, 201)

    def test_one_that_changes_its_ways_costs_one_connection(self):
        server = self.server(60)
        self.assertNotIn("a trial of the faster way failed", server.log_text())
        self.assertEqual(server.metric(REPEATED), 0)
        for _ in range(100):
            with server.socket() as wire:
                wire.sendall(HEALTH)
                wire.settimeout(0.2)
                try:
                    text = read_all(wire)
                except TimeoutError:
                    continue
                # What came is over: nobody takes the answer of one request for that to the next.
                self.assertEqual(re.findall(rb"HTTP/1.1 (\d+)", text), [b"200", b"204"])
                break
        else:
            self.fail("the library never sent by itself")
        self.assertEqual(server.metric(REPEATED), 1)
        self.assertEqual(self.answers(server), 2)
        self.assertIn("sent an answer of its own", eventually(lambda: re.search(
            ".*sent an answer of its own.*", server.log_text()), "a line in the log")[0])

    def test_with_the_library_as_it_is_nothing_is_repeated(self):
        server = Server().ends_with(self).start()
        self.assertEqual(self.answers(server), 2)
        self.assertEqual(server.metric(REPEATED), 0)
        self.assertNotIn("faster way", server.log_text())


if __name__ == "__main__":
    unittest.main()
