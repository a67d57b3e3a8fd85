"""Catalogues as tables, streams as thinned lines, runs as curves."""

import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.runs import RunLog
from gwiness.io.runs import find_runs, read_run
from gwiness.plots.style import KIND_COLORS, color_of, with_alpha
from gwiness.plots.tables import catalogue_table, source_title, span_text
from gwiness.plots.timeseries import (
    Trace,
    envelope,
    loud_span,
    overlay_figure,
    spectrum_figure,
    waveform_figure,
    waveform_table,
)
from gwiness.plots.training import (
    class_figure,
    class_metrics,
    created_figure,
    curve_table,
    difference_table,
    history_figure,
    run_table,
)


@pytest.fixture
def catalogue():
    theta = np.ones((3, len(SPACES["gb"])))
    theta[:, 1] = [1e-3, 2e-3, 3e-3]
    theta[0, 3] = np.nan
    return Catalogue("gb", SPACES["gb"], theta, {"snr": np.array([5.0, 9.0, 7.0])}, {"snr": "1"})


def test_table_has_units_and_the_loudest_first(catalogue):
    table = catalogue_table(catalogue, limit=2)
    assert table["#"] == [1, 2]
    assert table["snr"] == [9.0, 7.0]
    assert table["f₀ [Hz]"] == [2e-3, 3e-3]
    assert catalogue_table(catalogue)["λ [rad]"][-1] is None
    assert catalogue_table(Catalogue.empty("mbhb"))["#"] == []
    assert source_title(catalogue, 1) == "SNR 9 · 2.0000 mHz"


def test_times_in_words():
    assert span_text(TimeGrid(0.0, 0.1, 3000))["duration"] == "300 s"
    assert span_text(TimeGrid(864000.0, 10.0, 2**18))["start"] == "day 10.00"


@given(st.integers(1, 3000), st.integers(0, 500), st.integers(4, 200))
def test_thinning_keeps_the_extremes_and_the_order(num, first, points):
    samples = np.random.default_rng(num).normal(size=num)
    first = min(first, num - 1)
    index, values = envelope(samples, first, num, points)
    assert len(index) <= max(points, 2) + 2
    assert np.array_equal(values, samples[index])
    assert (np.diff(index) > 0).all()
    if num - first <= points:
        assert len(index) == num - first
    assert values.max() == samples[first:].max()
    assert values.min() == samples[first:].min()


def test_overlay_shows_every_sample_of_a_short_span():
    grid = TimeGrid(0.0, 10.0, 2**16)
    samples = np.arange(grid.num, dtype=float)
    figure = overlay_figure({"a": Trace(samples, "#000000")}, grid, (1000.0, 2000.0), "1")
    assert len(figure.data[0].y) == 100
    assert figure.data[0].y[0] == 100


def test_rows_share_the_time_and_a_single_spike_is_drawn_in_a_whole_item():
    grid = TimeGrid(5e5, 10.0, 2**18)
    stem, left = np.zeros((2, grid.num), np.float32)
    stem[123_457], left[-1] = 7.0, -5.0
    rows = {
        "MBHB": {"injected": Trace(2 * stem, "#000000"), "inferred": Trace(stem, "#ff0000")},
        "GB": {"injected": Trace(stem, "#000000"), "inferred": Trace(stem, "#0000ff")},
        "Residual": {"residual": Trace(left, "#00ff00")},
    }
    figure = waveform_figure(rows, grid, (0.0, grid.duration), "σ")
    assert [len(trace.x) <= 4000 for trace in figure.data] == [True] * 5
    spike = int(np.argmax(figure.data[1].y))
    assert (figure.data[1].x[spike], figure.data[1].y[spike]) == (123_457 * 10 / 86400, 7.0)
    assert figure.data[-1].y.min() == -5.0, "the very last sample"
    assert figure.layout.yaxis2.title.text == "GB [σ]"
    assert figure.layout.xaxis3.title.text == "time since start [d]"
    assert figure.layout.xaxis.matches == figure.layout.xaxis2.matches == "x3"
    shown = [trace.name for trace in figure.data if trace.showlegend]
    assert shown == ["injected", "MBHB inferred", "GB inferred", "residual"]
    finer = waveform_figure(rows, grid, (1_234_500.0, 1_234_700.0), "σ")
    assert len(finer.data[0].x) == 20, "every sample"
    table = waveform_table(rows, grid, (1_234_500.0, 1_234_700.0), "σ")
    assert [len(column) for column in table.values()] == [20] * 6
    assert list(table)[0::5] == ["time since start [s]", "residual [σ]"]
    assert table["MBHB injected [σ]"][table["time since start [s]"].index(1_234_570.0)] == 14.0


@pytest.mark.parametrize(("loud", "visible"), [(2.0, True), (100.0, "legendonly")])
def test_a_background_that_drowns_the_rest_starts_hidden(loud, visible):
    grid = TimeGrid(0.0, 10.0, 1000)
    wave = np.sin(grid.times)
    traces = {
        "mixture": Trace(loud * wave, "#000000", background=True),
        "stem": Trace(wave, "#ff0000"),
    }
    figure = overlay_figure(traces, grid, (0.0, 1e4), "1")
    assert figure.data[0].visible == visible
    assert figure.data[1].visible is True


def test_the_first_span_holds_the_loudest_sample_and_stays_inside():
    grid = TimeGrid(5e5, 10.0, 1000)
    for place in (0, 500, 999):
        samples = np.zeros(1000)
        samples[place] = -1.0
        low, high = loud_span(samples, grid, 300.0)
        assert 0 <= low <= place * 10.0 <= high <= grid.duration
        assert high - low == pytest.approx(300.0)


def test_spectrum_reads_the_amplitude_of_a_tone():
    grid = TimeGrid(0.0, 0.1, 3000)
    wave = 1.3 * np.sin(2 * np.pi * 2.7 * grid.times)
    figure = spectrum_figure({"long": (wave, grid, "#000000")}, (2.0, 3.0), np.array([2.7]))
    peak = np.argmax(figure.data[0].y)
    assert figure.data[0].y[peak] == pytest.approx(1.3, rel=0.01)
    assert figure.data[0].x[peak] == pytest.approx(2.7, abs=1e-3)


def test_runs_are_found_read_and_drawn(tmp_path):
    for age, name in enumerate(("new", "old")):
        path = tmp_path / name / "metrics.jsonl"
        path.parent.mkdir()
        path.write_text('{"step": 1, "time": 5, "valid_nsdr": 2, "best_nsdr": 2}\n{"step": 2, "t')
        os.utime(path, (1000 - age, 1000 - age))
    paths = find_runs(tmp_path)
    assert [path.name for path in paths] == ["new", "old"]
    log = read_run(paths[0], "new")
    assert len(log.lines) == 1, "a line that is being written is passed over"
    assert log.metrics == ["valid_nsdr", "best_nsdr"]
    figure = history_figure([log], "valid_nsdr", "time")
    assert [trace.name for trace in figure.data] == ["new · valid_nsdr", "new · best_nsdr"]
    assert figure.data[0].x[0] == 5000
    assert run_table([log, RunLog("empty", ())])["best NSDR [dB]"] == [2.0, None]


def test_a_broken_metrics_file_says_which_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(FileProblem, match="line 2"):
        read_run(tmp_path, "x")


def write_phases(folder, phases, torn='{"step": 300, "valid_'):
    """Phases of (kinds, NSDR of each validation), the last one still being written."""
    for number, (kinds, values) in enumerate(phases):
        path = folder / f"phase{number}" / "metrics.jsonl"
        path.parent.mkdir(parents=True)
        lines = []
        for index, value in enumerate(values, start=1):
            line = {"step": 100 * index, "time": 1e9 + number * 60 + index, "minutes": index}
            best = max(values[:index])
            for name in ("", *(f"_{kind}" for kind in kinds)):
                line |= {f"valid_nsdr{name}": value, f"best_nsdr{name}": best}
            lines.append(json.dumps(line))
        path.write_text("\n".join(lines) + "\n" + torn * (number == len(phases) - 1))


PHASES = ((("mbhb",), (10.0, 20.0)), (("gb",), (5.0, 15.0, 12.0)), (("mbhb", "gb"), (18.0, 17.0)))


def test_phases_of_a_run_share_one_axis_and_keep_their_own_best(tmp_path):
    write_phases(tmp_path / "run", PHASES)
    assert find_runs(tmp_path) == [tmp_path / "run"]
    log = read_run(tmp_path / "run", "run")
    assert log.starts == (0, 2, 5)
    assert log.column("step") == [100, 200, 300, 400, 500, 600, 700]
    assert log.column("minutes") == [1, 2, 3, 4, 5, 6, 7]
    assert class_metrics([log]) == ["valid_nsdr", "valid_nsdr_mbhb", "valid_nsdr_gb"]
    x, y = log.curve("valid_nsdr_gb", "step")
    assert (x, y) == ([300, 400, 500, None, 600, 700], [5.0, 15.0, 12.0, None, 18.0, 17.0])
    table = run_table([log])
    assert (table["phases"], table["steps"]) == ([3], [700])
    # The second phase reached 15, on other inputs; the weights are those of the third.
    assert (table["GB last [dB]"], table["GB best [dB]"]) == ([17.0], [18.0])


def test_every_class_has_a_panel_and_every_run_one_entry(tmp_path):
    logs = []
    for name in ("one", "two"):
        write_phases(tmp_path / name, PHASES)
        logs.append(read_run(tmp_path / name, name))
    figure = class_figure([*logs, RunLog("empty", ())], "minutes")
    titles = [note.text for note in figure.layout.annotations]
    assert titles == ["<b>Mean of the classes</b>", "<b>MBHB</b>", "<b>GB</b>"]
    # Valid and best of two runs in three panels.
    assert len(figure.data) == 12
    assert [trace.name for trace in figure.data if trace.showlegend] == ["one", "two"]


def test_runs_of_slotflow_have_their_loss_and_exact_number_beside_separators(tmp_path):
    write_phases(tmp_path / "separator", PHASES)
    for number, losses in enumerate(((3.0, 1.0, 2.0), (0.5,))):
        folder = tmp_path / f"slotflow{number}"
        folder.mkdir()
        (folder / "config.toml").write_text(
            f"seed = 1\n[network]\nwidth = {16 + number}\n[[stages]]\nsize = [1, {number}]\n"
        )
        lines = [
            {
                "step": 10 * index,
                "time": 1e9 + 100 * number + index,
                "valid_loss": loss,
                "best_loss": min(losses[:index]),
                "valid_exact_k": 0.5,
            }
            for index, loss in enumerate(losses, start=1)
        ]
        (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    names = ("separator", "slotflow0", "slotflow1")
    logs = [read_run(tmp_path / name, name) for name in names]
    table = run_table(logs)
    assert table["best loss [nat]"] == [None, 1.0, 0.5]
    assert table["last loss [nat]"] == [None, 2.0, 0.5]
    assert table["last exact K [1]"] == [None, 0.5, 0.5]
    titles = [axis.title.text for axis in class_figure(logs).select_yaxes()]
    assert titles[0] == "valid_nsdr [dB]"
    assert titles[-2:] == ["valid_loss [nat]", "valid_exact_k [1]"]
    # Best so far of all, last, best; of separators and of SlotFlow.
    so_far, last, best = created_figure(logs).data[3:]
    assert (so_far.y, last.y, best.y) == ((1.0, 0.5), (2.0, 0.5), (1.0, 0.5))
    assert best.x == (1e12 + 1e3, 1e12 + 101e3)
    assert difference_table(logs) == {
        "setting": ["network.width", "stages.0.size"],
        "slotflow0": ["16", "[1, 0]"],
        "slotflow1": ["17", "[1, 1]"],
    }
    curves = curve_table(logs)
    assert curves["run"] == ["separator"] * 7 + ["slotflow0"] * 3 + ["slotflow1"]
    assert curves["best_loss"][7:] == [3.0, 1.0, 1.0, 0.5]


def test_steps_done_again_after_a_resumption_count_once(tmp_path):
    steps = (100, 200, 300, 200, 300)
    lines = [json.dumps({"step": step, "valid_nsdr": index}) for index, step in enumerate(steps)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines))
    log = read_run(tmp_path, "x")
    assert (log.column("step"), log.column("valid_nsdr")) == ([100, 200, 300], [0, 3, 4])


def test_class_colours_differ_and_are_plain_hex():
    assert len(set(KIND_COLORS.values())) == len(KIND_COLORS)
    assert all(with_alpha(color, 0.5).startswith("rgba(") for color in KIND_COLORS.values())
    assert color_of("vgb").startswith("#")
