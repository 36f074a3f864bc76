"""docs/grafana: the dashboard and the alert rules ask for what is served, and the rules fire when they should."""

import json
import os
import tempfile
import unittest

import queries
import tools
from delays import at_once
from harness import LiveTest

JOB = 'job="leasehold",instance="a:1"'
DURATION = "leasehold_http_request_duration_seconds_bucket"
# Series of a service that is well, minute by minute.
WELL = {
    f"up{{{JOB}}}": "1x200",
    f"leasehold_ready{{{JOB}}}": "1x200",
    f"leasehold_leases{{{JOB}}}": "500x200",
    f"leasehold_cooling_leases{{{JOB}}}": "0x200",
    f"leasehold_leases_max{{{JOB}}}": "1000x200",
    f"leasehold_damaged_locks{{{JOB}}}": "0x200",
    f"leasehold_waiters{{{JOB}}}": "50x200",
    f"leasehold_ledger_entries{{{JOB}}}": "1000x200",
    f"leasehold_ledger_capacity{{{JOB}}}": "2000x200",
    f"leasehold_ledger_damaged_entries{{{JOB}}}": "0x200",
    f"leasehold_undo_failures_total{{{JOB}}}": "3x200",
    f"leasehold_drift_total{{{JOB},kind=\"surplus\"}}": "3x200",
    f"leasehold_sets_removed_total{{{JOB}}}": "3x200",
    f"leasehold_clock_age_seconds{{{JOB}}}": "0.9x200",
    f"leasehold_log_lines_dropped_total{{{JOB}}}": "3x200",
    f"leasehold_state_dir_failures_total{{{JOB}}}": "3x200",
    f"leasehold_deadlocks_total{{{JOB}}}": "0+1x200",
    f"leasehold_kernel_semaphore_sets{{{JOB}}}": "100x200",
    f"leasehold_kernel_semaphore_sets_max{{{JOB}}}": "200x200",
    f"leasehold_kernel_semaphores{{{JOB}}}": "100x200",
    f"leasehold_kernel_semaphores_max{{{JOB}}}": "200x200",
    f"leasehold_leases_ended_total{{{JOB},reason=\"expired\"}}": "0+60x200",
    f"leasehold_event_subscribers_dropped_total{{{JOB}}}": "3x200",
    f"{DURATION}{{{JOB},operation=\"acquireLock\",status=\"2xx\",le=\"0.064\"}}": "0+1000x200",
    f"{DURATION}{{{JOB},operation=\"acquireLock\",status=\"2xx\",le=\"0.256\"}}": "0+1005x200",
    f"{DURATION}{{{JOB},operation=\"acquireLock\",status=\"2xx\",le=\"+Inf\"}}": "0+1005x200",
    # A list may take long.
    f"{DURATION}{{{JOB},operation=\"listLocks\",status=\"2xx\",le=\"0.064\"}}": "0x200",
    f"{DURATION}{{{JOB},operation=\"listLocks\",status=\"2xx\",le=\"+Inf\"}}": "0+10x200",
    # Somebody else's target.
    'up{job="node",instance="a:9100"}': "0x200",
}
GREW = "3x190 4x10"
# What is different when an alert is to fire, which then is the only one.
ILL = {
    "LeaseholdDown": {f"up{{{JOB}}}": "0x200"},
    "LeaseholdLedgerNearlyFull": {f"leasehold_ledger_entries{{{JOB}}}": "1700x200"},
    "LeaseholdLeasesNearlyAtMaximum": {f"leasehold_leases{{{JOB}}}": "900x200"},
    "LeaseholdLockDamaged": {f"leasehold_damaged_locks{{{JOB}}}": "1x200"},
    "LeaseholdUndoFailed": {f"leasehold_undo_failures_total{{{JOB}}}": GREW},
    "LeaseholdDrift": {f"leasehold_drift_total{{{JOB},kind=\"surplus\"}}": GREW},
    "LeaseholdDeadlocks": {f"leasehold_deadlocks_total{{{JOB}}}": "0+12x200"},
    "LeaseholdSetsNearlyUsedUp": {f"leasehold_kernel_semaphore_sets{{{JOB}}}": "170x200"},
    "LeaseholdSemaphoresNearlyUsedUp": {f"leasehold_kernel_semaphores{{{JOB}}}": "170x200"},
    "LeaseholdManyWaiters": {f"leasehold_waiters{{{JOB}}}": "101x200"},
    "LeaseholdExpiriesRising": {f"leasehold_leases_ended_total{{{JOB},reason=\"expired\"}}": "0+1x170 171+60x30"},
    "LeaseholdNotReady": {f"leasehold_ready{{{JOB}}}": "0x200"},
    "LeaseholdClockStalled": {f"leasehold_clock_age_seconds{{{JOB}}}": "60x200"},
    "LeaseholdLogLinesDropped": {f"leasehold_log_lines_dropped_total{{{JOB}}}": GREW},
    "LeaseholdStateDirFails": {f"leasehold_state_dir_failures_total{{{JOB}}}": GREW},
    "LeaseholdSubscribersDropped": {f"leasehold_event_subscribers_dropped_total{{{JOB}}}": GREW},
    "LeaseholdSetsRemoved": {f"leasehold_sets_removed_total{{{JOB}}}": GREW},
    "LeaseholdLedgerDamaged": {f"leasehold_ledger_damaged_entries{{{JOB}}}": "1x200"},
    "LeaseholdSlowRequests": {
        f"{DURATION}{{{JOB},operation=\"acquireLock\",status=\"2xx\",le=\"0.256\"}}": "0+1020x200",
        f"{DURATION}{{{JOB},operation=\"acquireLock\",status=\"2xx\",le=\"+Inf\"}}": "0+1020x200",
    },
}


class QueriesTest(unittest.TestCase):
    def test_names_are_told_from_functions_words_labels_and_texts(self):
        expression = ('sum by (le, job) (rate(a_bucket{b="c", d=~"e|f"}[5m] offset 1h)) / on (job) group_left (x) '
                      'g:h > bool 1e3 and up == 0 or histogram_quantile(0.9, i) unless "j k"')
        self.assertEqual(queries.metrics(expression), {"a_bucket", "g:h", "up", "i"})
        self.assertEqual(list(queries.matchers(expression)), [("a_bucket", "b", ["c"]), ("a_bucket", "d", ["e", "f"])])

    def test_what_nobody_serves_is_found(self):
        served = queries.Served('# TYPE a histogram\na_bucket{le="1"} 1\n# TYPE b counter\nb{kind="x"} 1\n')
        self.assertEqual(served.unknown('rate(a_bucket{job="z"}[5m]) / b{kind="x"} > up'), [])
        self.assertEqual(served.unknown("a + a_max"), ["no metric a", "no metric a_max"])
        self.assertEqual(served.unknown('b{kind=~"x|y"} + b{code="1"}'), ["b has no kind y", "b has no label code"])


class DashboardTest(LiveTest):
    def setUp(self):
        self.panels = queries.board()["panels"]

    def served(self):
        self.granted(self.server.acquire(self.key()))
        return queries.Served(self.server.get("/metrics").text)

    @at_once("the limits of the kernel are not among the metrics")
    def test_everything_it_asks_for_is_served(self):
        served, asked = self.served(), list(queries.panel_expressions())
        self.assertGreater(len(asked), 40)
        self.assertEqual([(title, it) for title, expression in asked for it in served.unknown(expression)], [])
        for variable in queries.board()["templating"]["list"][1:]:
            metric = variable["query"]["query"].partition("(")[2].partition(")")[0].partition(",")[0].partition("{")[0]
            self.assertIn(metric, served.names)

    def test_prometheus_can_read_what_it_asks(self):
        rules = [{"record": f"panel:{number}", "expr": expression}
                 for number, (_, expression) in enumerate(queries.panel_expressions())]
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            json.dump({"groups": [{"name": "panels", "rules": rules}]}, file)
            file.flush()
            self.assertIn(f"{len(rules)} rules found", tools.promtool(self, "check", "rules", file.name))

    def test_panels_have_ids_of_their_own_and_do_not_overlap(self):
        self.assertEqual(len({panel["id"] for panel in self.panels}), len(self.panels))
        taken = {}
        for panel in self.panels:
            place = panel["gridPos"]
            self.assertLessEqual(place["x"] + place["w"], 24, panel["title"])
            for x in range(place["x"], place["x"] + place["w"]):
                for y in range(place["y"], place["y"] + place["h"]):
                    self.assertEqual(taken.setdefault((x, y), panel["title"]), panel["title"], f"both at {x}, {y}")

    def test_each_panel_says_what_it_means_and_asks_the_chosen_prometheus(self):
        chosen = {"type": "prometheus", "uid": "${datasource}"}
        shown = [panel for panel in self.panels if panel["type"] != "row"]
        self.assertEqual(len({panel["title"] for panel in shown}), len(shown))
        for panel in shown:
            self.assertGreaterEqual(len(panel["description"].split()), 10, panel["title"])
            self.assertEqual(panel["datasource"], chosen, panel["title"])
            references = [target["refId"] for target in panel["targets"]]
            self.assertEqual(len(set(references)), len(references), panel["title"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"], chosen, panel["title"])
                for metric in queries.metrics(target["expr"]):
                    selected = target["expr"].count(metric + '{job=~"$job", instance=~"$instance"')
                    self.assertEqual(selected, target["expr"].count(metric + "{"), f"{panel['title']}: {metric}")
                    self.assertGreater(selected, 0, f"{panel['title']}: {metric}")

    def test_it_can_be_imported(self):
        board = queries.board()
        self.assertIsNone(board["id"])
        self.assertEqual([(it["name"], it["pluginId"]) for it in board["__inputs"]], [("DS_PROMETHEUS", "prometheus")])
        variables = {it["name"]: it for it in board["templating"]["list"]}
        self.assertEqual(list(variables), ["datasource", "job", "instance"])
        self.assertEqual(variables["datasource"]["current"]["value"], "${DS_PROMETHEUS}")
        required = {it["id"] for it in board["__requires"]}
        self.assertEqual({panel["type"] for panel in self.panels} - required, {"row"})


class AlertsTest(LiveTest):
    def test_promtool_accepts_the_rules(self):
        self.assertIn(f"{len(ILL)} rules found", tools.promtool(self, "check", "rules", "--lint-fatal", queries.RULES))

    @at_once("the limits of the kernel are not among the metrics")
    def test_everything_the_rules_ask_for_is_served(self):
        self.granted(self.server.acquire(self.key()))
        served = queries.Served(self.server.get("/metrics").text)
        for name, expression in queries.alerts().items():
            self.assertEqual(served.unknown(expression), [], name)

    def test_each_alert_fires_for_what_it_is_for_and_no_other_does(self):
        self.assertEqual(set(queries.alerts()), set(ILL))
        tests = [self.group("all is well", {}, [])]
        for name, changes in ILL.items():
            self.assertEqual(set(changes) - set(WELL), set())
            tests.append(self.group(name, changes, [name]))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "test.yaml")
            with open(path, "w", encoding="utf-8") as file:
                json.dump({"rule_files": [queries.RULES], "evaluation_interval": "1m", "tests": tests}, file)
            self.assertIn("SUCCESS", tools.promtool(self, "test", "rules", path))

    @staticmethod
    def group(name, changes, firing):
        series = [{"series": key, "values": values} for key, values in {**WELL, **changes}.items()]
        expected = [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing]
        firing_now = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": "195m"}
        return {"name": name, "interval": "1m", "input_series": series,
                "promql_expr_test": [{**firing_now, "exp_samples": expected}]}


if __name__ == "__main__":
    unittest.main()
