"""Ten thousand waiters on one lock: half hang up, the rest are served in order, and no thread is needed for them.

python3 Tests/Robustness/waiters.py --waiters 10000
"""

import json
import multiprocessing
import random
import selectors
import socket
import time

from support import Report, arguments, quiet, raise_descriptor_limit, running

KEY = "crowd"
QUERY = "wait=20m&ttl=60s"


class Crowd:
    """Some of the waiters, in a process of their own. Told by a pipe what to do next."""

    def __init__(self, pipe, path, first, count, seed):
        self.pipe, self.path, self.chance = pipe, path, random.Random(seed)
        self.selector = selectors.DefaultSelector()
        self.sockets = {}
        self.buffers, self.granted, self.answered = {}, [], set()
        for number in range(first, first + count):
            self.sockets[number] = self.queue(number)

    def queue(self, number):
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(self.path)
        target = f"/locks/{KEY}/acquire?{QUERY}&owner={number}"
        connected.sendall(f"POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return connected

    def hang_up(self):
        leaving = self.chance.sample(sorted(self.sockets), len(self.sockets) // 2)
        for number in leaving:
            self.sockets.pop(number).close()
        return leaving

    def serve(self, seconds):
        """Releases every grant as soon as it comes, on the same connection."""
        for number, connected in self.sockets.items():
            connected.setblocking(False)
            self.selector.register(connected, selectors.EVENT_READ, number)
            self.buffers[number] = b""
        deadline = time.monotonic() + seconds
        while self.sockets and time.monotonic() < deadline:
            for event, _ in self.selector.select(1):
                self.read(event.data, event.fileobj)
        return self.granted

    def read(self, number, connected):
        data = connected.recv(65536)
        self.buffers[number] += data
        head, separator, body = self.buffers[number].partition(b"\r\n\r\n")
        if data and not (separator and body.endswith(b"}\n")):
            return
        if number in self.answered or not data:  # the answer of the release, or no answer at all
            self.selector.unregister(connected)
            self.sockets.pop(number).close()
            return
        status = int(head.split()[1])
        answer = json.loads(body)
        self.granted.append((number, status, answer.get("fence")))
        self.answered.add(number)
        self.buffers[number] = b""
        if status == 201:
            connected.sendall(f"DELETE /leases/{answer['lease']} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def crowd_process(pipe, path, first, count, seed, seconds):
    raise_descriptor_limit()
    crowd = Crowd(pipe, path, first, count, seed)
    pipe.send("queued")
    pipe.recv()
    pipe.send(crowd.hang_up())
    pipe.recv()
    pipe.send(crowd.serve(seconds))


def status(pid, name):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(line.split()[1] for line in file if line.startswith(name + ":"))


def main():
    options = arguments(__doc__, waiters=10000, processes=4, max_seconds=240)
    raise_descriptor_limit()
    report, begun = Report(), time.monotonic()
    chance = random.Random(options.seed)
    context = multiprocessing.get_context("fork")
    with running("--max-waiters", str(options.waiters * 2)) as server:
        idle_threads, idle_rss = status(server.pid, "Threads"), int(status(server.pid, "VmRSS"))
        held = server.over_unix.acquire(KEY, ttl="1h")
        assert held.status == 201, held
        share, crowds = options.waiters // options.processes, []
        for number in range(options.processes):
            pipe, end = context.Pipe()
            process = context.Process(
                target=crowd_process,
                daemon=True,
                args=(end, server.unix, number * share, share, chance.random(), options.max_seconds),
            )
            process.start()
            crowds.append((process, pipe))
        total = share * options.processes
        ask(crowds, None)
        assert quiet(lambda: server.waiting(KEY) == total, 60, 0.2), f"{server.waiting(KEY)} of {total} wait"
        print(
            f"{total} wait after {time.monotonic() - begun:.1f} s: threads {status(server.pid, 'Threads')} "
            f"(idle {idle_threads}), {(int(status(server.pid, 'VmRSS')) - idle_rss) * 1024 // total} bytes each"
        )
        report.expect(int(status(server.pid, "Threads")) <= int(idle_threads) + 8, "a thread per waiter")
        order = queue(server)
        gone = {number for answer in ask(crowds, "hang up") for number in answer}
        left = [number for number in order if number not in gone]
        report.expect(
            quiet(lambda: server.waiting(KEY) == len(left), 30, 0.2), f"{server.waiting(KEY)} of {len(left)} stay"
        )
        report.expect(queue(server) == left, "those who stay have changed places")
        served_from = time.monotonic()
        server.over_unix.release(held)
        granted = [item for answer in ask(crowds, "serve") for item in answer]
        print(f"{len(granted)} served in {time.monotonic() - served_from:.1f} s")
        report.expect(all(code == 201 for _, code, _ in granted), "a waiter was refused")
        by_fence = [number for number, _, _ in sorted(granted, key=lambda item: item[2] or 0)]
        report.expect(by_fence == left, "not first come, first served")
        lock = server.lock(KEY).json
        report.expect(lock["available"] == 1 and not lock["holders"] and not lock["waiters"], f"a slot is lost: {lock}")
        for process, _ in crowds:
            process.join(10)
    report.finish(f"waiters {total}")


def queue(server):
    return [int(waiter["owner"]) for waiter in server.get(f"/locks/{KEY}", limit=20000)["waiters"]]


def ask(crowds, command):
    """Tells every process to go on, and collects what each says."""
    for _, pipe in crowds:
        if command:
            pipe.send(command)
    answers = []
    for _, pipe in crowds:
        if not pipe.poll(300):
            raise AssertionError(f"no answer to {command}")
        answers.append(pipe.recv())
    return answers


if __name__ == "__main__":
    main()
