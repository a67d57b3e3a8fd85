import time

import numpy as np
import pytest

from gwiness.evaluate.benchmark import (
    Cost,
    ProcessMemory,
    alternate,
    card_rows,
    measure,
    ratios,
    stream,
    summary,
    trade_off,
)

MB = 2**20


class Silent:
    """A gauge that knows nothing."""

    def start(self):
        pass

    def peak(self):
        return None


def _burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_cpu_time_counts_work_and_not_waiting():
    cost = measure(lambda: time.sleep(0.2), Silent())
    # Sleeping takes the clock's time; 50 ms of CPU time would be a busy wait.
    assert cost.wall_s >= 0.2
    assert cost.cpu_s < 0.05
    assert measure(lambda: _burn(0.05), Silent()).cpu_s >= 0.05


def test_memory_is_the_peak_of_the_call_alone():
    gauge = ProcessMemory()
    gauge.start()
    if gauge.peak() is None:
        pytest.skip("the kernel does not let this process reset its high-water mark")

    def call(size):
        return lambda: np.ones(size * MB, dtype=np.uint8).sum()

    large = measure(call(80), gauge).peak_bytes
    small = measure(call(20), gauge).peak_bytes
    # Pages of the interpreter itself come and go: some MB.
    assert large == pytest.approx(80 * MB, abs=8 * MB)
    assert small == pytest.approx(20 * MB, abs=8 * MB)


def test_memory_is_unknown_where_the_mark_cannot_be_reset(tmp_path):
    gauge = ProcessMemory(tmp_path / "nowhere")
    gauge.start()
    assert gauge.peak() is None


def test_methods_take_turns_and_the_first_and_the_last_round_are_not_timed():
    order = []
    calls = {name: (lambda name=name: order.append(name)) for name in "abc"}
    told = []
    costs = alternate(calls, 2, Silent(), told.append)
    assert order == told == list("abcbcacababc")
    assert {name: len(rows) for name, rows in costs.items()} == {"a": 2, "b": 2, "c": 2}


def test_memory_is_measured_once_and_apart_from_time():
    class Counted(Silent):
        """A gauge whose start would cost the next call time."""

        starts = 0

        def start(self):
            self.starts += 1

        def peak(self):
            return 7

    gauge = Counted()
    costs = alternate({"a": lambda: None, "b": lambda: None}, 3, gauge)
    assert gauge.starts == 2
    assert [cost.peak_bytes for cost in costs["a"]] == [7, 7, 7]


def test_ratio_is_taken_within_rounds():
    # The machine is ten times slower in the second round; the ratio is 0.5 in each.
    costs = {
        "fast": [Cost(1.0, 2.0, None), Cost(10.0, 20.0, None), Cost(1.0, 2.0, None)],
        "slow": [Cost(2.0, 4.0, None), Cost(20.0, 40.0, None), Cost(2.0, 4.0, None)],
    }
    table = ratios(costs, "slow")
    assert table["fast"] == {"cpu": 0.5, "wall": 0.5}
    assert table["slow"] == {"cpu": 1.0, "wall": 1.0}


def test_summary_has_spread_and_knows_what_is_unknown():
    table = summary([Cost(1.0, 5.0, None), Cost(3.0, 5.0, 7), Cost(2.0, 5.0, None)])
    assert table["cpu_s"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert table["peak_bytes"] == {"median": 7.0, "min": 7, "max": 7}
    assert summary([Cost(1.0, 1.0, None)])["peak_bytes"] is None
    assert table["rounds"] == 3


def test_stream_shows_memory_that_grows():
    class Counted:
        """A gauge of what was kept."""

        def start(self):
            pass

        def peak(self):
            return 10 * len(kept)

    kept = []
    done = []
    facts = stream([lambda: kept.append(0)] * 4, Counted(), done.append)
    assert (facts["peak_bytes_first"], facts["peak_bytes"]) == (10, 40)
    assert (facts["items"], done) == (4, [1, 2, 3, 4])
    assert facts["items_per_s"] > 0
    assert stream([], Silent())["items_per_s"] is None


def test_trade_off_joins_cost_and_quality_cheapest_first():
    def report(nsdr):
        return {"mean_class_nsdr_db": nsdr, "classes": {"gb": {"nsdr_db": {"median": nsdr}}}}

    speed = {
        "two": summary([Cost(4.0, 4.0, None)]),
        "one": summary([Cost(2.0, 2.0, None)]),
        "untrained": summary([Cost(1.0, 1.0, None)]),
    }
    assert trade_off(speed, {"two": report(9.0), "one": report(7.0)}) == [
        {"name": "one", "cpu_s": 2.0, "mean_class_nsdr_db": 7.0, "nsdr_db": {"gb": 7.0}},
        {"name": "two", "cpu_s": 4.0, "mean_class_nsdr_db": 9.0, "nsdr_db": {"gb": 9.0}},
    ]


def test_card_keeps_the_comparison_and_leaves_out_what_is_unknown():
    report = {
        "mean_class_nsdr_db": None,
        "classes": {
            "gb": {"nsdr_db": {"median": 3.14159}},
            "emri": {"nsdr_db": {"median": None}},
        },
    }
    cost, cheap = summary([Cost(4.0, 5.0, None)]), summary([Cost(2.0, 2.0, None)])
    figures = {
        "methods": {"ours": "a", "peer": "b", "all": ["a", "a, 1 pass", "b"]},
        "items": 7,
        "machine": {"threads": 2},
        "speed": {"cpu": {"methods": {"a": cost, "a, 1 pass": cheap}, "ratio_to_peer": None}},
        "quality": {"a": report},
    }
    assert card_rows(figures) == {"speed": {"threads": 2.0, "cpu_s": 4.0, "wall_s": 5.0}}
    figures["quality"]["b"] = report
    assert card_rows(figures)["official_scnet"] == {"items": 7.0, "gb_nsdr_db": 3.142}
    figures["quality"]["a, 1 pass"] = report
    assert card_rows(figures)["fast"] == {
        "threads": 2.0,
        "cpu_s": 2.0,
        "wall_s": 2.0,
        "gb_nsdr_db": 3.142,
    }
    figures["out_of_distribution"] = {"two mergers": {"methods": {"a": report, "b": report}}}
    assert card_rows(figures)["outside_two_mergers"] == {"gb_nsdr_db": 3.142}
