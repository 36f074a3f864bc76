"""Leases that live as long as a connection: hold, and bind=connection."""

import http.client
import json
import threading
import unittest

from harness import LiveTest, Server, eventually


class Stream:
    """An open hold, or another answer without an end: its status, and its lines as they come."""

    def __init__(self, client, target, headers=None, method="POST"):
        self.connection = client.connection()
        self.connection.request(method, target, headers=headers or {})
        self.response = self.connection.getresponse()
        self.status, self.headers = self.response.status, self.response.headers

    def line(self):
        return self.response.readline().decode()

    def json(self):
        return json.loads(self.line())

    def close(self):
        # The response keeps the socket alive, so both must go.
        self.response.close()
        self.connection.close()


class Hold(LiveTest):
    arguments = ("--heartbeat", "200ms")

    def hold(self, suffix="", query="", headers=None):
        stream = Stream(self.server, f"/locks/{self.key(suffix)}/hold{query}", headers)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 201)
        return stream

    def test_a_hold_that_is_refused_is_an_ordinary_problem(self):
        self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.server.post(f"/locks/{self.key()}/hold"), 423, "locked")
        self.assertProblem(self.server.post(f"/locks/{self.key()}/hold", wait="100ms"), 423, "wait-timeout")
        self.assertProblem(self.server.post(f"/locks/{self.key()}/hold", mode="x"), 400, "invalid-parameter")


class Attach(LiveTest):
    """A lease that is bound to a connection after its grant."""

    arguments = ("--heartbeat", "200ms")

    def attach(self, lease, query=""):
        stream = Stream(self.server, f"/leases/{lease['lease']}/hold{query}")
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def test_a_short_lease_that_is_confirmed_ends_with_the_stream(self):
        lease = self.granted(self.server.acquire(self.key(), ttl="600ms"))
        stream = self.attach(lease)
        told = stream.json()
        self.assertEqual((told["lease"], told["bind"], told["expires_in_ms"]), (lease["lease"], "connection", None))
        for number in (1, 2, 3, 4):
            self.assertEqual(stream.json()["heartbeat"], number)
        waiter = self.server.acquire_later(self.key())
        stream.close()
        self.granted(waiter.answer())
        self.assertProblem(
            self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="connection-closed")

    def test_what_is_refused(self):
        target = f"/leases/{'0' * 32}/hold"
        self.assertProblem(self.server.post(target), 404, "no-such-lease")
        lease = self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.server.post(f"/leases/{lease['lease']}/hold", ttl="1ms"), 400, "out-of-range")
        via = self.server.request("POST", f"/leases/{lease['lease']}/hold", headers={"Via": "1.1 proxy"})
        self.assertProblem(via, 400, "invalid-parameter", parameter="bind")
        self.server.release(lease)
        self.assertProblem(self.server.post(f"/leases/{lease['lease']}/hold"), 410, "released")


class Upgrade(LiveTest):
    def setUp(self):
        self.own = Server("--heartbeat", "200ms").ends_with(self).start()

    def test_a_hold_is_bound_again_after_the_end_of_the_service(self):
        for end in (self.own.terminate, self.own.kill) * 3:
            with self.subTest(end=end.__name__):
                stream = Stream(self.own, f"/locks/{self.key()}/hold")
                lease = stream.json()
                self.assertEqual(lease["recovery_grace_ms"], 2000)
                closing = threading.Thread(target=self.close_at_its_end, args=(stream,))
                closing.start()
                try:
                    end()
                finally:
                    closing.join()
                self.own.start()
                again = Stream(self.own, f"/leases/{lease['lease']}/hold")
                self.assertEqual((again.status, again.json()["fence"]), (200, lease["fence"]))
                again.close()
                eventually(lambda: self.own.lock(self.key())["held"] == 0, "it is free")

    @staticmethod
    def close_at_its_end(stream):
        try:
            stream.response.read()
        except (OSError, http.client.HTTPException):
            pass
        stream.close()


class Bind(LiveTest):
    def test_a_bound_lease_ends_with_its_connection(self):
        for client in (self.server, self.server.over_unix):
            key = self.key(str(client.address)[-5:])
            connection = client.connection()
            lease = self.granted(client.acquire(key, bind="connection", connection=connection))
            self.assertEqual(lease["bind"], "connection")
            self.assertEqual(client.request("GET", "/healthz", connection=connection).status, 200)
            self.assertEqual(self.server.lock(key)["holders"][0]["bind"], "connection")
            waiter = self.server.acquire_later(key)
            connection.close()
            self.granted(waiter.answer())
            self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired", reason="connection-closed")

    def test_other_bindings_are_refused_with_a_reason(self):
        self.assertProblem(
            self.server.post(f"/locks/{self.key()}/hold", bind="pid:1"),
            400,
            "invalid-parameter",
            parameter="bind",
            allowed=["connection"],
        )
        self.assertProblem(self.server.acquire(self.key(), bind="moon"), 400, "invalid-parameter", parameter="bind")


if __name__ == "__main__":
    unittest.main()
