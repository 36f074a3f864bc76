"""What /events tells, for tests that look at it afterwards."""

import json
import re


def told(server, kinds, key):
    """The events of these kinds about a key that are still there, oldest first."""
    text = server.get("/events", since="oldest", wait="0", kind=kinds, key=key).text
    return [json.loads(data) for data in re.findall(r"^data: (.*)$", text, re.M)]


def counted(server, name):
    """A metric's value, 0 when it is not there."""
    found = re.search(rf"^{re.escape(name)} (\d+)$", server.get("/metrics").text, re.M)
    return int(found[1]) if found else 0
