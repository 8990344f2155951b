"""Asks a Prometheus until it gives the answer, for at most two minutes; prints a line for each question.

ask.py URL values QUERY...       each query has a value, be it 0
ask.py URL dashboard FILE.json   each query of the dashboard has a value above 0
ask.py URL alerts NAME...        these alerts fire, and no others
"""

import json
import sys
import time
import urllib.parse
import urllib.request


def ask(path, **arguments):
    """Returns the data of an answer, or nothing before Prometheus has started."""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}", timeout=10) as answer:
            return json.load(answer)["data"]
    except OSError:
        return {}


def values(query):
    return [float(entry["value"][1]) for entry in ask("query", query=query).get("result", [])]


def firing():
    return sorted({alert["labels"]["alertname"] for alert in ask("alerts").get("alerts", []) if alert["state"] == "firing"})


def check(name, find, is_right):
    """Polls until the answer is right, and prints it."""
    end = time.monotonic() + 120
    while not (right := is_right(answer := find())) and time.monotonic() < end:
        time.sleep(0.5)
    print("ok     " if right else "FAILED ", name, answer, flush=True)


url, command, *words = sys.argv[1:]
if command == "values":
    for query in words:
        check(query, lambda: values(query), bool)
elif command == "alerts":
    check("alerts", firing, lambda names: names == sorted(words))
else:
    for panel in json.load(open(words[0]))["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$copy_job", ".*")
            check(panel["title"], lambda: values(query), lambda found: any(value > 0 for value in found))
