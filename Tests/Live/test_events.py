"""/events: what happens to locks, as server-sent events."""

import concurrent.futures
import json
import os
import re
import socket
import subprocess
import tempfile
import unittest

import test_hold
from harness import ROOT, LiveTest, Server, eventually


class Stream(test_hold.Stream):
    """An open answer of /events, read line by line."""

    def __init__(self, server, target="/events", headers=None):
        super().__init__(server, target, headers, "GET")
        self.comments, self.last_id = 0, None
        if self.status == 200:
            assert self.block()["retry"] == "2000"

    def block(self):
        """The fields of the next block; `None` at the end."""
        fields = {}
        while True:
            line = self.line()
            if not line:
                return None
            line = line.rstrip("\n")
            if line.startswith(":"):
                self.comments += 1
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.last_id = fields.get("id", self.last_id)
                return fields

    def event(self):
        """The next event: its data, with its name as `event` and its id as `id`; `None` at the end."""
        block = self.block()
        return block and {**json.loads(block["data"]), "event": block["event"], "id": block["id"]}

    def events(self, count):
        return [self.event() for _ in range(count)]

    def rest(self):
        return list(iter(self.event, None))


def kinds(events):
    return [event["event"] for event in events]


class Following(LiveTest):
    arguments = ("--heartbeat", "100ms", "--max-event-subscribers", "20")

    def follow(self, target="/events", **headers):
        stream = Stream(self.server, target, {name.replace("_", "-"): value for name, value in headers.items()})
        self.addCleanup(stream.close)
        self.assertEqual(stream.response.status, 200)
        return stream

    def cycle(self, key, **parameters):
        lease = self.granted(self.server.acquire(key, **parameters))
        self.server.release(lease)
        return lease

    def test_the_life_of_a_lease_is_told_in_order(self):
        stream = self.follow(f"/events?key={self.key()}")
        self.assertEqual(stream.response.getheader("Content-Type"), "text/event-stream")
        self.assertEqual(stream.response.getheader("Cache-Control"), "no-store")
        lease = self.granted(self.server.acquire(self.key(), owner="ann", ttl="20s"))
        pending = self.server.acquire_later(self.key(), owner="bob")
        self.server.post(f"/leases/{lease['lease']}/renew")
        self.server.release(lease)
        second = self.granted(pending.answer())
        granted, waiting, renewed, released, handed = stream.events(5)
        self.assertEqual(kinds([granted, waiting, renewed, released, handed]),
                         ["granted", "waiting", "renewed", "released", "granted"])
        self.assertEqual({name: granted[name] for name in ("key", "ref", "owner", "mode", "count", "fence", "reason")},
                         {"key": self.key(), "ref": lease["ref"], "owner": "ann", "mode": "exclusive", "count": 1,
                          "fence": lease["fence"], "reason": None})
        self.assertRegex(granted["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((waiting["owner"], waiting["ref"], waiting["fence"]), ("bob", None, None))
        self.assertEqual((released["reason"], released["owner"], released["ref"]), ("released", "ann", lease["ref"]))
        self.assertEqual((handed["ref"], handed["owner"]), (second["ref"], "bob"))
        numbers = [event["seq"] for event in (granted, waiting, renewed, released, handed)]
        self.assertEqual(numbers, sorted(set(numbers)))
        self.server.release(second)

    def test_filters_choose_keys_and_kinds(self):
        exact = self.follow(f"/events?key={self.key()}&kind=granted")
        prefix = self.follow(f"/events?key={self.key()}*&kind=released,granted")
        self.cycle(self.key("x"))
        lease = self.cycle(self.key())
        event = exact.event()
        self.assertEqual((event["event"], event["ref"]), ("granted", lease["ref"]))
        self.assertEqual([(event["event"], event["key"]) for event in prefix.events(4)],
                         [("granted", self.key("x")), ("released", self.key("x")),
                          ("granted", self.key()), ("released", self.key())])

    def test_unknown_kinds_and_ids_are_named(self):
        self.assertProblem(self.server.get("/events", kind="granted,lost"), 400, "invalid-parameter", parameter="kind")
        for since in ("1", "x-1", "0000000000000000-", "0000000000000000-x"):
            self.assertProblem(self.server.get("/events", since=since), 400, "invalid-parameter", parameter="since")
        answer = self.server.request("GET", "/events", headers={"Last-Event-ID": "nonsense"})
        self.assertProblem(answer, 400, "invalid-parameter", parameter="since")

    def test_a_limit_or_no_wait_ends_the_answer(self):
        self.cycle(self.key())
        read = lambda more: self.follow(f"/events?since=oldest&key={self.key()}&{more}").rest()  # noqa: E731
        self.assertEqual(kinds(read("wait=0")), ["granted", "released"])
        self.assertEqual(kinds(read("limit=1")), ["granted"])
        self.assertEqual(kinds(read("wait=200ms")), ["granted", "released"])
        self.assertEqual(self.follow("/events?wait=0").rest(), [])

    def test_a_stream_goes_on_behind_the_last_id(self):
        stream = self.follow(f"/events?key={self.key()}")
        self.cycle(self.key())
        first = stream.event()
        stream.close()
        self.cycle(self.key())
        for way in ({"Last_Event_ID": first["id"]}, {}):
            target = f"/events?wait=0&key={self.key()}" + ("" if way else f"&since={first['id']}")
            self.assertEqual(kinds(self.follow(target, **way).rest()), ["released", "granted", "released"])

    def test_even_who_got_no_event_can_go_on(self):
        stream = self.follow(f"/events?key={self.key()}")
        stream.close()
        self.cycle(self.key())
        again = self.follow(f"/events?wait=0&key={self.key()}", Last_Event_ID=stream.last_id)
        self.assertEqual(kinds(again.rest()), ["granted", "released"])

    def test_an_id_of_another_life_is_a_gap_of_unknown_size(self):
        self.cycle(self.key())
        events = self.follow(f"/events?wait=0&key={self.key()}", Last_Event_ID="00000000000000aa-7").rest()
        self.assertEqual(kinds(events), ["gap", "granted", "released"])
        self.assertEqual((events[0]["missed"], events[0]["reason"]), (None, "other-life"))

    def test_heartbeats_come_while_nothing_happens(self):
        stream = self.follow(f"/events?key={self.key()}")
        eventually(lambda: self.server.get("/healthz").status == 200, "alive")
        self.server.process.poll()
        while stream.comments < 3:
            line = stream.response.readline()
            stream.comments += line.startswith(b":")
        self.assertGreaterEqual(stream.comments, 3)

    def test_more_than_the_maximum_are_refused(self):
        eventually(lambda: self.server.metric("leasehold_event_subscribers") == 0, "other tests' streams are gone")
        streams = [self.follow() for _ in range(20)]
        answer = self.server.get("/events", wait="5s")
        self.assertProblem(answer, 429, "too-many-subscribers", limit="max-event-subscribers", maximum=20)
        self.assertEqual(answer.headers["Retry-After"], "1")
        for stream in streams:
            stream.close()
        eventually(lambda: self.server.metric("leasehold_event_subscribers") < 20, "a place is free")

    def test_head_answers_without_a_stream(self):
        answer = self.server.request("HEAD", "/events")
        self.assertEqual((answer.status, answer.headers.get_content_type()), (200, "text/event-stream"))


class Page(LiveTest):
    def test_the_example_of_the_page_prints_what_it_says(self):
        with open(os.path.join(ROOT, "docs", "events.md"), encoding="utf-8") as file:
            [(expected, script)] = re.findall(r"^<!-- expect: (.*) -->\n```bash\n(.*?)^```", file.read(), re.S | re.M)
        script = f"set -euo pipefail\nL=http://127.0.0.1:{self.server.port}\n{script}"
        with tempfile.TemporaryDirectory() as directory:
            result = subprocess.run(["bash", "-c", script], cwd=directory, check=True, capture_output=True, text=True)
        self.assertRegex(" ".join(result.stdout.split()), expected)


class SmallRing(LiveTest):
    arguments = ("--events-kept", "64")

    def cycles(self, count, key="many"):
        connection = self.server.connection()
        for _ in range(count):
            lease = self.server.request("POST", f"/locks/{key}/acquire", connection=connection)["lease"]
            self.server.request("DELETE", f"/leases/{lease}", connection=connection)
        connection.close()

    def test_an_id_that_is_too_old_is_a_gap_with_its_size(self):
        stream = Stream(self.server)
        first = stream.last_id
        stream.close()
        self.cycles(50)
        again = Stream(self.server, "/events?wait=0", {"Last-Event-ID": first})
        gap, *events = again.rest()
        again.close()
        self.assertEqual((gap["event"], gap["reason"], gap["missed"]), ("gap", "too-old", 100 - 64))
        self.assertEqual(len(events), 64)

    def test_who_does_not_read_is_dropped_and_counted(self):
        self.assertEqual(self.server.metric("leasehold_event_subscribers_dropped_total"), 0)
        with socket.socket() as stuck:
            stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            stuck.connect(("127.0.0.1", self.server.port))
            stuck.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            eventually(lambda: self.server.metric("leasehold_event_subscribers") == 1, "it follows")

            def dropped():
                with concurrent.futures.ThreadPoolExecutor(50) as pool:
                    list(pool.map(lambda number: self.cycles(20, f"many-{number}"), range(50)))
                return self.server.metric("leasehold_event_subscribers_dropped_total") == 1

            eventually(dropped, "it is dropped", timeout=60)
        eventually(lambda: self.server.metric("leasehold_event_subscribers") == 0, "it is gone")


class Drain(unittest.TestCase):
    def test_streams_end_cleanly_when_the_service_stops(self):
        server = Server().ends_with(self).start()
        stream = Stream(server)
        self.addCleanup(stream.close)
        server.acquire("last")
        self.assertEqual(server.terminate(), 0)
        self.assertEqual(kinds(stream.rest()), ["granted"])  # and the last chunk, or http.client complains


if __name__ == "__main__":
    unittest.main()
