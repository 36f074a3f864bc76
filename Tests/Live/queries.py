"""What docs/grafana asks Prometheus: the expressions of the alert rules and of the dashboard, and the names in them."""

import json
import os
import re

import harness

FOLDER = os.path.join(harness.ROOT, "docs", "grafana")
RULES = os.path.join(FOLDER, "alerts.yaml")
WORDS = {"and", "or", "unless", "by", "on", "without", "ignoring", "group_left", "group_right", "offset", "bool", "inf",
         "nan"}
# Prometheus itself adds these to what it scrapes.
OWN_NAMES, OWN_LABELS = {"up"}, {"job", "instance"}
# Labels with all of whose values each service begins.
CLOSED = {"outcome", "reason", "kind"}
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\{([^}]*)\}")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')


def board():
    with open(os.path.join(FOLDER, "leasehold.json"), encoding="utf-8") as file:
        return json.load(file)


def alerts():
    """Name to expression."""
    with open(RULES, encoding="utf-8") as file:
        found = re.findall(r'- alert: (\w+)\n +expr: ("(?:[^"\\]|\\.)*")\n', file.read())
    return {name: json.loads(text) for name, text in found}


def panel_expressions():
    """Pairs of a panel's title and an expression as Prometheus gets it."""
    for panel in board()["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def metrics(expression):
    """The metrics that an expression names."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^]]*\]", " ", bare)
    bare = re.sub(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)", r"\1", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|\s+(?:by|without)\b|[\w:])", bare)
    return set(names) - WORDS


def matchers(expression):
    """Triples of a metric, a label and the values that the expression looks for there."""
    for metric, inside in SELECTOR.findall(expression):
        for label, operator, value in MATCHER.findall(inside):
            yield metric, label, value.split("|") if operator in ("=~", "!~") else [value]


class Served:
    """What a service serves: its names, and the values of each label of each."""

    def __init__(self, text):
        types = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        self.names = {name for name, kind in types.items() if kind != "histogram"}
        for name, kind in types.items():
            if kind == "histogram":
                self.names |= {f"{name}_{part}" for part in ("bucket", "sum", "count")}
        self.labels = {}
        for name, inside in re.findall(r"(?m)^(\w+)\{(.*)\} \S+$", text):
            for label, value in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', inside):
                self.labels.setdefault(name, {}).setdefault(label, set()).add(value)

    def unknown(self, expression):
        """What an expression asks for and nobody serves."""
        found = [f"no metric {name}" for name in sorted(metrics(expression) - self.names - OWN_NAMES)]
        for metric, label, values in matchers(expression):
            if label in OWN_LABELS:
                continue
            known = self.labels.get(metric, {}).get(label)
            if known is None:
                found.append(f"{metric} has no label {label}")
            elif label in CLOSED:
                found += [f"{metric} has no {label} {value}" for value in values if value not in known]
        return found
