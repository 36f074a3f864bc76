"""`/terraform/{state}` of two services on one etcd: the same states through both."""

import unittest

from cluster import ETCD, call
from test_etcd_engine import TwoServices


@unittest.skipUnless(ETCD, "there is no etcd: apt-get install etcd-server")
class Terraform(TwoServices):
    def ask(self, service, method, body=None):
        return call(service.port, method, "/terraform/prod", body=body)

    def shows(self, service, held):
        """A look at one lock shows what was done through another service, too."""
        self.assertEqual(call(service.port, "GET", "/locks/terraform:prod")[1].get("held", 0), held)

    def test_a_state_is_unlocked_by_its_holder_or_by_force_through_any_service(self):
        ann = {"ID": "ann", "Operation": "OperationTypeApply", "Who": "ann@laptop"}

        for service in (self.a, self.b):
            ann["ID"] += "x"
            self.assertEqual(self.ask(self.a, "LOCK", ann), (200, ann))
            self.shows(service, 1)
            status, problem = self.ask(service, "LOCK", {"ID": "bob-1"})
            known = ("ID", "Operation", "Who") if service is self.a else ("ID", "Who")
            told = {name: problem.get(name) for name in known}
            self.assertEqual((status, told), (423, {name: ann[name] for name in known}), problem)
            self.assertEqual(self.ask(service, "UNLOCK", {"ID": "bob-1"})[0], 423)
            status, answer = self.ask(service, "UNLOCK")
            self.assertEqual((status, answer.get("unlocked")), (200, True), answer)
            self.shows(service, 0)
            self.assertEqual(self.ask(self.a, "UNLOCK", ann)[1]["code"], "broken")
            again = ann | {"ID": f"again-{service.port}"}
            self.assertEqual(self.ask(self.b, "LOCK", again)[0], 200)
            self.shows(service, 1)
            self.assertEqual(self.ask(service, "UNLOCK", again), (200, again))
            self.shows(service, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
