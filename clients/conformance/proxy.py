"""A proxy with faults."""

import os
import select
import socket
import tempfile
import threading


class Proxy:
    """Stands between client and service. A plan is for the next connection, later ones are left alone.

    `up` and `down` say how many bytes pass (None: all), `then` what comes after them: stall or close.
    """

    def __init__(self, target, tcp=False):
        self.target = target
        self.directory = tempfile.mkdtemp(prefix="leasehold-proxy-")
        self.listener = socket.socket(socket.AF_INET if tcp else socket.AF_UNIX)
        self.path = os.path.join(self.directory, "socket")
        self.listener.bind(("127.0.0.1", 0) if tcp else self.path)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}" if tcp else f"unix:{self.path}"
        self.listener.listen(64)
        self.plans, self.silent, self.refusing = [], False, False
        self.rewrite = None  # what to put in place of what, on the way to the service
        self.passed_up, self.passed_down, self.connections = 0, 0, []
        threading.Thread(target=self._accept, daemon=True).start()

    def plan(self, up=None, down=None, then="stall"):
        self.plans.append((up, down, then))

    def cut(self):
        """Ends all connections."""
        for pair in self.connections[:]:
            for sock in pair:
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.cut()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.refusing:
                near.close()
                continue
            plan = self.plans.pop(0) if self.plans else (None, None, "stall")
            threading.Thread(target=self._serve, args=(near, *plan), daemon=True).start()

    def _serve(self, near, up, down, then):
        far = socket.socket(socket.AF_UNIX)
        pair = (near, far)
        self.connections.append(pair)
        limits, passed = {near: up, far: down}, {near: 0, far: 0}
        try:
            far.connect(self.target)
            while True:
                watched = [sock for sock in pair if limits[sock] is None or passed[sock] < limits[sock] or sock is near]
                for sock in select.select(watched, [], [], 0.05)[0]:
                    other = far if sock is near else near
                    limit = limits[sock]
                    room = 65536 if limit is None else max(0, limit - passed[sock])
                    data = sock.recv(room or 65536)
                    if not data:
                        return
                    if self.silent or room == 0:
                        continue
                    if sock is near and self.rewrite:
                        data = data.replace(*self.rewrite)
                    other.sendall(data)
                    passed[sock] += len(data)
                    self.passed_up += len(data) if sock is near else 0
                    self.passed_down += len(data) if sock is far else 0
                if then == "close" and any(limits[sock] is not None and passed[sock] >= limits[sock] for sock in pair):
                    return
        except OSError:
            pass
        finally:
            self.connections.remove(pair)
            near.close()
            far.close()
