"""Forks, threads, signals, and the end of a program."""

import multiprocessing
import os
import signal
import threading
import time
import unittest

from support import LiveTest, PATIENCE, eventually, leasehold
from leasehold import Lock
from leasehold._drive import FOREVER, milliseconds


class Processes(LiveTest):
    def test_a_forked_child_holds_nothing_and_takes_nothing_away(self):
        for options in ("", "keep='stream'", "ttl=1"):
            with self.subTest(options):
                program = self.program(f"""
lease = acquire({self.key!r}, {options})
time.sleep(0.2)
child = os.fork()
if child == 0:
    print("child", lease.lost, lease.lost_reason, lease.release(), repr(lease).split()[-1], flush=True)
    with Lock({self.key!r} + " other") as mine: print("child has", mine.lost, mine.kept_by, flush=True)
    os._exit(0)
os.waitpid(child, 0)
time.sleep(1.2)
print("parent", lease.lost, lease.release())
""")
                said, status = program.end()
                self.assertRegex(said, r"^child True forked False forked>\nchild has False \w+\nparent False True$")
                self.assertEqual(status, 0)
                self.assertFree(within=1)

    def test_a_child_that_lives_on_does_not_keep_the_lock(self):
        for options in ("", "keep='stream'"):
            with self.subTest(options):
                program = self.program(f"""
lease = acquire({self.key!r}, {options})
time.sleep(0.2)
if os.fork() == 0:
    sys.stdin.readline()
    os._exit(0)
print("has", flush=True)
os.kill(os.getpid(), 9)
""")
                self.assertEqual(program.line(), "has")
                self.assertFree(within=2)
                program.say()

    def test_a_program_that_was_started_inherits_no_connection(self):
        program = self.program(f"""
import subprocess
lease = acquire({self.key!r}, keep="stream")
child = subprocess.Popen(["sleep", "30"], close_fds=False)
print("has", child.pid, flush=True)
os.kill(os.getpid(), 9)
""")
        child = int(program.line().split()[1])
        self.addCleanup(os.kill, child, signal.SIGKILL)
        self.assertFree(within=2)

    def test_multiprocessing_in_each_way(self):
        for method in ("fork", "spawn"):
            with self.subTest(method):
                context = multiprocessing.get_context(method)
                inside, most = context.Value("i", 0), context.Value("i", 0)
                work = [context.Process(target=_work, args=(self.url, self.key, inside, most)) for _ in range(4)]
                with Lock(self.key, client=self.client):
                    [process.start() for process in work]
                    time.sleep(0.3)
                    self.assertEqual(most.value, 0)
                [process.join(PATIENCE) for process in work]
                self.assertEqual(([process.exitcode for process in work], most.value), ([0] * 4, 1))

    def test_a_fork_among_threads(self):
        program = self.program("""
def work():
    while not stop:
        with Lock(f"{threading.get_ident()}"): pass
stop = []
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads: thread.start()
for _ in range(20):
    child = os.fork()
    if child == 0:
        with Lock("child"): pass
        os._exit(7)
    assert os.waitpid(child, 0)[1] == 7 << 8
stop.append(1)
for thread in threads: thread.join()
print("done")
""")
        self.assertEqual(program.end(60), ("done", 0))

    def test_the_program_ends(self):
        for last, options in (("", ""), ("sys.exit(3)", "keep='stream'"), ("raise SystemError", ""),
                              ("os._exit(4)", ""), ("threading.Timer(.1, print).start()", "keep='stream'")):
            with self.subTest(last):
                program = self.program(f"lease = acquire({self.key!r}, {options})\nprint('has')\n{last}")
                self.assertEqual(program.line(), "has")
                begun = time.monotonic()
                program.process.wait(PATIENCE)
                self.assertLess(time.monotonic() - begun, 2)
                self.assertFree(within=2)

    def test_a_lock_taken_when_the_program_ends(self):
        program = self.program(f"""
import atexit
def last():
    with Lock({self.key!r}): print("last")
atexit.register(last)
""")
        self.assertEqual(program.end(), ("last", 0))

    def test_ctrl_c_while_it_waits_leaves_the_queue(self):
        with Lock(self.key, client=self.client):
            program = self.program(f"""
try: acquire({self.key!r})
except KeyboardInterrupt: print("interrupted")
sys.stdin.readline()
""")
            eventually(lambda: self.queued() == 1, "it waits")
            program.process.send_signal(signal.SIGINT)
            self.assertEqual(program.line(), "interrupted")
            eventually(lambda: self.queued() == 0, "it left", 2)
        self.assertFree(within=1)

    def test_an_exception_at_any_line_leaves_no_slot(self):
        # As the handler of a signal raises it: it is not called at a `try:`, nor on the way out of a lock's `with`.
        program = self.program(f"""
import itertools, linecache
package = os.path.dirname(leasehold.__file__)
class Stop(Exception): pass
def stopping_at(line):
    seen = itertools.count(1)
    def trace(frame, event, _):
        if not frame.f_code.co_filename.startswith(package):
            return None
        text = linecache.getline(frame.f_code.co_filename, frame.f_lineno).split()
        if event == "line" and text[0] not in ("try:", "with") and next(seen) == line:
            stops.append((frame.f_code.co_filename, frame.f_lineno))
            raise Stop
        return trace
    return trace
def is_free():
    try: seen = client.lock({self.key!r})
    except LeaseholdError: return True
    return seen["held"] == seen["waiting"] == 0
client = Client(os.environ["LEASEHOLD_URL"])
for options in ({{"keep": "process"}}, {{"keep": "stream"}}, {{"ttl": 60}}):
    for line in itertools.count(1):
        stops = []
        sys.settrace(stopping_at(line))
        try:
            with Lock({self.key!r}, wait=5, **options, client=client): pass
        except Stop: pass
        finally: sys.settrace(None)
        end = time.monotonic() + 5
        while not is_free() and time.monotonic() < end: time.sleep(0.002)
        if not is_free() or leasehold._process.leases_of(None):
            print("still has it:", options, *stops)
            sys.exit()
        if not stops: break
    print(line > 100)
""")
        self.assertEqual(program.end(120), ("True\nTrue\nTrue", 0))

    def test_the_watcher_goes_on_when_something_comes_before_it_sleeps(self):
        # An arrival between its look and its sleep says so by a time before all others.
        self.assertEqual([milliseconds(until) for until in (-FOREVER, 0.0, FOREVER)], [0, 0, -1])
        program = self.program(f"""
import leasehold._watcher as watcher
one = watcher.Watcher()
look, looks = one._look, []
def late():
    look()
    looks.append(1)
    if len(looks) < 200:
        one.submit(lambda job: (op for op in ()))
one._look = late
one.submit(lambda job: (op for op in ()))
while len(looks) < 200: time.sleep(0.001)
print(one._running)
""")
        self.assertEqual(program.end(), ("True", 0))

    def test_one_watcher_thread_for_all(self):
        program = self.program("""
ways = [{"keep": "process"}, {"keep": "stream"}, {"ttl": 5}] * 5
leases = [acquire(f"one {n}", **options) for n, options in enumerate(ways)]
print(len(os.listdir("/proc/self/task")))
""")
        self.assertEqual(program.end(), ("2", 0))

    def test_the_watcher_ends_and_comes_back(self):
        program = self.program(f"""
import leasehold._watcher as watcher
watcher.LINGERS = 0.1
for _ in range(3):
    with Lock({self.key!r}): pass
    time.sleep(0.4)
    print(len(os.listdir('/proc/self/task')))
lease = acquire({self.key!r})
time.sleep(0.2)
print("has")
print(lease.wait_lost(10), lease.lost_reason)
""")
        self.assertEqual([program.line() for _ in range(4)], ["1", "1", "1", "has"])
        self.breaks(type("Ref", (), {"ref": self.server.over_unix.lock(self.key)["holders"][0]["ref"]}))
        self.assertEqual(program.end(), ("True broken", 0))


def _work(url, key, inside, most):
    with Lock(key, client=leasehold.Client(url)):
        inside.value += 1
        most.value = max(most.value, inside.value)
        time.sleep(0.02)
        inside.value -= 1


if __name__ == "__main__":
    unittest.main()
