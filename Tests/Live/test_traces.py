"""W3C traceparent: which request of which trace waited for which, in the log and in the events."""

import json
import secrets
import socket
import threading

from delays import at_once
from harness import LiveTest, Pending, eventually


def traceparent():
    """A new trace: the header, and its trace and span."""
    trace, span = secrets.token_hex(16), secrets.token_hex(8)
    return f"00-{trace}-{span}-01", trace, span


class Traces(LiveTest):
    arguments = ("--log-format", "json", "--slow-wait", "0", "--heartbeat", "200ms")

    def lines(self, trace):
        """What `grep TRACE` finds in the log."""
        return [json.loads(line) for line in self.server.log_text().splitlines() if f'"trace_id":"{trace}"' in line]

    def line(self, trace, message):
        def find():
            return next((line for line in self.lines(trace) if line["message"] == message), None)

        return eventually(find, f"'{message}' of {trace}")

    def acquire(self, header, key=None, **query):
        return self.server.request(
            "POST", f"/locks/{key or self.key()}/acquire", headers={"traceparent": header}, timeout=60, **query)

    def queued(self, header, **query):
        pending = Pending(lambda: self.acquire(header, wait="20s", **query))
        eventually(lambda: pending.done or self.server.waiting(self.key()) == 1, "a waiter")
        return pending

    @at_once("nobody knows the queue when a wait begins")
    def test_a_wait_tells_for_whom(self):
        first, first_trace, _ = traceparent()
        second, second_trace, second_span = traceparent()
        holder = self.granted(self.acquire(first, owner="nightly"))
        pending = self.queued(second, owner="deploy")
        self.server.release(holder)
        lease = self.granted(pending.answer())
        line = self.line(second_trace, "waited for a lock")
        self.assertEqual(line["level"], "info")
        self.assertEqual(line["span_id"], second_span)
        self.assertEqual((line["lock"], line["outcome"], line["owner"]), (self.key(), "granted", "deploy"))
        self.assertEqual((line["ref"], line["holder_ref"]), (lease["ref"], holder["ref"]))
        self.assertEqual((line["holder_owner"], line["holder_trace_id"]), ("nightly", first_trace))
        self.assertEqual((line["holders"], line["waiters"]), (1, 1))
        self.assertEqual(line["waited_ms"], lease["waited_ms"])
        self.assertNotIn(lease["lease"], self.server.log_text())

    @at_once("nobody knows the queue when a wait begins")
    def test_a_wait_that_ends_otherwise_is_told_too(self):
        first, _, _ = traceparent()
        late, late_trace, _ = traceparent()
        gone, gone_trace, _ = traceparent()
        self.granted(self.acquire(first, owner="nightly"))
        refused = self.assertProblem(self.acquire(late, wait="50ms"), 423, "wait-timeout")
        line = self.line(late_trace, "waited for a lock")
        self.assertEqual(line["request_id"], refused["request_id"])
        self.assertEqual((line["outcome"], line["holder_owner"]), ("wait-timeout", "nightly"))
        self.assertGreaterEqual(line["waited_ms"], 50)
        with self.server.socket() as sock:
            sock.sendall((f"POST /locks/{self.key()}/acquire?wait=20s HTTP/1.1\r\nHost: localhost\r\n"
                          f"traceparent: {gone}\r\n\r\n").encode())
            eventually(lambda: self.server.waiting(self.key()) == 1, "a waiter")
        self.assertEqual(self.line(gone_trace, "waited for a lock")["outcome"], "hung-up")

    def test_who_belongs_to_no_trace_is_told_without_one(self):
        holder = self.granted(self.server.acquire(self.key()))
        pending = self.server.acquire_later(self.key(), owner="plain")
        self.server.release(holder)
        self.granted(pending.answer())

        def find():
            lines = [json.loads(line) for line in self.server.log_text().splitlines()]
            return next((line for line in lines if line.get("owner") == "plain"), None)

        line = eventually(find, "a line")
        self.assertEqual(line["message"], "waited for a lock")
        self.assertNotIn("trace_id", line)
        self.assertNotIn("holder_ref", line)

    @at_once("each acquire may be a wait")
    def test_nobody_who_did_not_wait_is_told(self):
        header, trace, _ = traceparent()
        self.granted(self.acquire(header, wait="20s"))
        other, other_trace, _ = traceparent()
        self.assertEqual(self.acquire(other).status, 423)
        self.assertEqual(self.lines(trace) + self.lines(other_trace), [])

    def test_the_end_of_a_lease_and_a_break_tell_the_trace(self):
        header, trace, span = traceparent()
        lease = self.granted(self.acquire(header, ttl="100ms"))
        line = self.line(trace, "a lease ended")
        self.assertEqual((line["ref"], line["reason"], line["span_id"]), (lease["ref"], "ttl", span))
        held, held_trace, _ = traceparent()
        breaking, breaking_trace, _ = traceparent()
        lease = self.granted(self.acquire(held, key="broken"))
        self.server.request("POST", f"/leases/{lease['ref']}/break", headers={"traceparent": breaking})
        self.line(breaking_trace, "an operator ends a lease")
        self.line(held_trace, "a lease ended")

    def test_a_refusal_tells_the_trace(self):
        header, trace, span = traceparent()
        answer = self.server.request("GET", "/locks", headers={"traceparent": header, "Host": "evil.example"})
        problem = self.assertProblem(answer, 421, "host-not-allowed")
        line = self.line(trace, "refused")
        self.assertEqual((line["span_id"], line["request_id"]), (span, problem["request_id"]))

    def test_what_is_malformed_or_given_twice_is_ignored(self):
        header, trace, _ = traceparent()
        for lines in (f"traceparent: {header.upper()}", f"traceparent: {header}\r\ntraceparent: {header}"):
            text = f"GET /locks HTTP/1.1\r\nHost: evil.example\r\n{lines}\r\nConnection: close\r\n\r\n"
            self.assertIn(b" 421 ", self.server.raw(text.encode()))
        eventually(lambda: self.server.log_text().count("evil.example") >= 2, "both refusals")
        self.assertEqual(self.lines(trace), [])

    def test_events_tell_the_trace_of_the_waiter_and_of_the_lease(self):
        events, streams = [], threading.Event()
        sock = self.server.socket()
        self.addCleanup(sock.close)
        sock.sendall(f"GET /events?key={self.key()} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())

        def read():
            received = b""
            while True:
                try:
                    chunk = sock.recv(65536)
                except (OSError, socket.timeout):
                    return
                if not chunk:
                    return
                received += chunk
                streams.set()
                events[:] = [json.loads(line[6:]) for line in received.decode().splitlines()
                             if line.startswith("data: {")]

        threading.Thread(target=read, daemon=True).start()
        self.assertTrue(streams.wait(20))
        first, first_trace, _ = traceparent()
        second, second_trace, _ = traceparent()
        holder = self.granted(self.acquire(first))
        pending = self.queued(second)
        self.server.release(holder)
        self.server.release(self.granted(pending.answer()))
        eventually(lambda: len(events) >= 5, "five events")
        self.assertEqual(
            [(event["kind"], event.get("trace_id")) for event in events],
            [("granted", first_trace), ("waiting", second_trace), ("released", first_trace),
             ("granted", second_trace), ("released", second_trace)])
        self.granted(self.server.acquire(self.key()))
        eventually(lambda: len(events) == 6, "one more")
        self.assertNotIn("trace_id", events[5])


class SlowWaits(LiveTest):
    arguments = ("--log-format", "json", "--slow-wait", "300ms", "--heartbeat", "200ms")

    def test_only_long_waits_are_told_at_info_and_not_too_many(self):
        holder = self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.server.acquire(self.key(), wait="20ms").status, 423)
        waiting = [Pending(lambda: self.server.acquire(self.key(), wait="400ms", timeout=60)) for _ in range(35)]
        for pending in waiting:
            self.assertEqual(pending.answer().status, 423)

        def lines():
            return [json.loads(line) for line in self.server.log_text().splitlines()]

        def told():
            return [line for line in lines() if line["message"] == "waited for a lock"]

        # A line each, or counted by a line.
        eventually(lambda: len(told()) + sum(int(line.get("left_out", 0)) for line in lines()) == 35, "all are told of")
        # They end within three seconds, or this machine is too slow to see anything.
        self.assertLessEqual(len(told()), 30)
        self.assertGreaterEqual(min(line["waited_ms"] for line in told()), 300)
        self.server.release(holder)


if __name__ == "__main__":
    import unittest

    unittest.main()
