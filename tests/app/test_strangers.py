"""What the page shows of files that mean harm: text, and sentences."""

import re
import sys

import h5py
import numpy as np
import pytest
from conftest import ROOT
from standins import texts, write_lisa

sys.path.insert(0, str(ROOT / "tests" / "io"))
from hostile import HOSTILE

NASTY = "<img src=x onerror=alert(1)> **b** [l](http://a.b) $x$ :red[r] www.a.b `c`"
"""HTML, and what Markdown would draw."""


def assert_harmless(at):
    """No exception, and nothing of `NASTY` that HTML or Markdown would draw."""
    assert not at.exception, [each.value for each in at.exception]
    for kind in ("html", "markdown", "caption", "info", "warning", "error"):
        for each in at.get(kind):
            text = str(each.value)
            if kind == "html":
                assert "<img" not in text
                continue
            for raw in ("<img", "**b**", "[l](", "$x$", ":red[", "www.a", "`c`"):
                assert not re.search(rf"(?<!\\){re.escape(raw)}", text), text
    for figure in at.get("plotly_chart"):
        assert "<img" not in figure.proto.spec


def test_names_attributes_and_columns_are_shown_as_text(page, tmp_path, engine, few_steps):
    name = NASTY.replace("/", "-")
    path = write_lisa(tmp_path / f"{name}.h5", 2)
    with h5py.File(path, "a") as file:
        for attribute in ("unit", "config", "created", "title", NASTY.replace("/", "-")):
            file.attrs[attribute] = NASTY
        rows = file["catalogue/gb"][:]
        wider = np.zeros(len(rows), dtype=[*rows.dtype.descr, ("name", "S99"), ("<i>x", "f8")])
        for column in rows.dtype.names:
            wider[column] = rows[column]
        wider["name"] = NASTY
        del file["catalogue/gb"]
        file["catalogue/gb"] = wider
        file["catalogue/gb"].attrs["frequency"] = NASTY
    at = page(path, engine, sep="Hide")
    assert_harmless(at)
    assert not at.error
    assert "&lt;img" in texts(at)
    at = page(path, engine, sep="Hide", tab="Parameter")
    assert_harmless(at)
    assert not at.error


@pytest.mark.parametrize("what", ["channels", "kind", "schema", "dt"])
def test_what_is_refused_is_refused_in_a_harmless_sentence(page, tmp_path, engine, what):
    path = write_lisa(tmp_path / "nasty.h5", 1)
    with h5py.File(path, "a") as file:
        if what == "kind":
            file[f"sources/{NASTY.replace('/', '-')}"] = file["sources/gb"]
        else:
            name = {"schema": "gwiness_schema"}.get(what, what)
            file.attrs[name] = f"A,{NASTY.replace(' ', '')},T" if what == "channels" else NASTY
    at = page(path, engine)
    assert_harmless(at)
    assert len(at.error) == 1
    assert at.error[0].value.rstrip("\\").endswith(".")


def test_a_dataset_is_offered_and_opened_under_a_harmless_name(page, tmp_path, engine):
    path, name = write_lisa(tmp_path / "nasty.h5", 1), NASTY.replace("/", "-")
    with h5py.File(path, "a") as file:
        del file.attrs["gwiness_schema"]
        del file["sources"], file["noise"]
        file[name] = file["mixture"][:]
    at = page(path, engine, sep="Hide")
    assert_harmless(at)
    assert len(at.selectbox(key="dataset").options) == 2
    at.selectbox(key="dataset").set_value(f"/{name}").run()
    assert_harmless(at)
    assert not at.error
    assert "1 of 1" in texts(at)


@pytest.mark.parametrize(
    "name", ["endless heap", "name that is a path", "columns over each other"]
)
def test_a_file_that_hangs_crashes_or_leads_out_gets_one_sentence(page, tmp_path, engine, name):
    make, word = HOSTILE[name]
    at = page(make(tmp_path / "a.h5"), engine)
    assert not at.exception
    assert len(at.error) == 1
    assert word in at.error[0].value
