"""What a service on etcd says of itself and of its locks, beside what it grants: two services on one etcd."""

import signal
import subprocess
import time
import unittest

from cluster import ETCD, OneEtcd, call, for_each_etcd
from rig import PROGRAM, eventually
from test_etcd_engine import Service


@unittest.skipUnless(ETCD, "there is no etcd: apt-get install etcd-server")
class EtcdAnswers(unittest.TestCase):
    program = ETCD

    @classmethod
    def setUpClass(cls):
        cls.etcd = OneEtcd(cls.program)
        cls.addClassCleanup(cls.etcd.stop)
        cls.a, cls.b = Service(cls.etcd), Service(cls.etcd)
        cls.addClassCleanup(cls.a.stop)
        cls.addClassCleanup(cls.b.stop)

    def test_a_service_whose_etcd_hangs_is_not_ready(self):
        service = Service(self.etcd)
        self.addCleanup(service.stop)
        ready = [PROGRAM, "ready", "--url", f"http://127.0.0.1:{service.port}"]
        time.sleep(1.5)  # it hears nothing new: its watch stays open
        self.etcd.process.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            eventually(lambda: call(service.port, "GET", "/readyz")[1]["status"] == 503, "it is not ready", 20)
            self.assertGreater(time.monotonic() - begun, 3, "a change of leader is no reason")
            problem = call(service.port, "GET", "/readyz")[1]
            self.assertEqual((problem["code"], problem["part"]), ("degraded", "cluster"), problem)
            self.assertEqual(call(service.port, "GET", "/healthz")[0], 200)
            self.assertEqual(subprocess.run(ready, capture_output=True, check=False).returncode, 69)
        finally:
            self.etcd.process.send_signal(signal.SIGCONT)
        for one in (service, self.a, self.b):
            eventually(one.answers, "it is ready again")


load_tests = for_each_etcd(EtcdAnswers)

if __name__ == "__main__":
    unittest.main(verbosity=2)
