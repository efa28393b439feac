"""Dashboard and rules ask for what there is, and Grafana and Prometheus can read them."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from monzen.metrics.table import METRICS
from tests.metrics.tools import WANTED, tool

ROOT = Path(__file__).parent.parent.parent
DASHBOARD = json.loads((ROOT / "docs/grafana/monzen.json").read_text(encoding="utf-8"))
RULES = ROOT / "docs/grafana/alerts.yml"
BY_NAME = {metric.name: metric for metric in METRICS}
GIVEN = {"instance", "job"}  # labels that Prometheus puts there itself
ASKED = re.compile(r"(monzen_\w+)(?:\{([^}]*)\})?")


def rules():
    """Name and expression of each rule: one line each, as promtool sees them too."""
    return re.findall(r"- alert: (\w+)\n(?:\s+#.*\n)*\s+expr: (.+)\n", RULES.read_text(encoding="utf-8"))


def expressions():
    panels = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return panels + rules()


def test_there_are_expressions():
    assert len(rules()) == RULES.read_text(encoding="utf-8").count("expr:") >= 8
    assert len(expressions()) > 30


@pytest.mark.parametrize(("where", "expression"), expressions(), ids=[f"{where}-{i}" for i, (where, _) in enumerate(expressions())])
def test_only_what_there_is_is_asked_for(where, expression):
    asked = ASKED.findall(expression)
    assert asked, where
    labels = set()
    for name, matchers in asked:
        assert name in BY_NAME
        labels |= set(BY_NAME[name].labels)
        for label, value in re.findall(r"(\w+)=~?\"([^\"]*)\"", matchers):
            assert label in GIVEN | set(BY_NAME[name].labels)
            closed = {row[BY_NAME[name].labels.index(label)] for row in BY_NAME[name].values} if label not in GIVEN else set()
            assert not closed or set(value.split("|")) <= closed
        if BY_NAME[name].name.endswith("_total"):
            assert re.search(r"(?:rate|increase)\(" + name, expression), "a counter by itself says nothing"
    for group in re.findall(r"by \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", group)) <= labels | GIVEN


def test_the_dashboard_has_what_grafana_needs():
    assert DASHBOARD["schemaVersion"] >= 39
    assert DASHBOARD["id"] is None
    assert DASHBOARD["uid"] == "monzen"
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert ASKED.findall(variables["instance"]["definition"])[0][0] in BY_NAME
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        assert panel["description"]
        assert panel["type"] in {"stat", "timeseries", "state-timeline"}
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert [t["refId"] for t in panel["targets"]] == [chr(65 + i) for i in range(len(panel["targets"]))]
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, f"{panel['title']} lies over another"
        taken |= cells
        shown = {label for t in panel["targets"] for label in re.findall(r"\{\{(\w+)\}\}", t["legendFormat"])}
        assert shown <= GIVEN | {label for t in panel["targets"] for name, _ in ASKED.findall(t["expr"]) for label in BY_NAME[name].labels}


def test_every_rule_is_explained():
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert [name for name, _ in rules() if f"`{name}`" not in text] == []
    assert sorted(set(re.findall(r"`(Monzen\w+)`", text))) == sorted(name for name, _ in rules())


def test_promtool_understands_the_rules():
    promtool = tool("promtool")
    if promtool is None:
        pytest.skip(WANTED.format(name="promtool"))
    done = subprocess.run([promtool, "check", "rules", str(RULES)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules())} rules found" in done.stdout
