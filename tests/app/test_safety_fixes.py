"""What hostile or merely odd files, names and links must not do to the page."""

import csv
import gc
import json
import os
import sys
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from standins import AnswersAtOnce, clean, heatmaps, link_of, texts, write_lisa

from app import cache, listing, recent
from app.cache import Store
from app.components import browser
from app.scan import Scan
from app.state import FileKey
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.io.formats import open_recording
from gwiness.plots.export import table_to_csv
from gwiness.plots.overview import item_loudness
from gwiness.plots.psd import noise_spectrum, spectrum
from gwiness.plots.spectrogram import band_edges, display_map, frequency_ticks
from gwiness.plots.timeseries import spectrum_figure
from gwiness.signal.whiten import analytic_whitener, whiten

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "io"))


def write_bare(path, num_channels=2, **attributes):
    """A plain file, which says nothing about itself but its attributes."""
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).normal(size=(2, num_channels, 4096)) * 1e-21
        file.attrs.update(attributes)
    return path


# What is kept ---------------------------------------------------------------------------------


def open_handles(path):
    """How often this process has a file open."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            found += os.readlink(each) == str(path)
        except OSError:
            continue
    return found


def test_a_file_that_is_forgotten_stays_open_for_its_reader(tmp_path):
    paths = [write_lisa(tmp_path / f"{number}.h5", 1, 2**12) for number in range(12)]
    first = cache.recording(FileKey.of(paths[0]))
    for path in paths[1:]:
        cache.recording(FileKey.of(path))
    assert first.item(0).mixture.grid.num == 2**12
    again = cache.recording(FileKey.of(paths[0]))
    assert again is not first, "it was forgotten"
    gc.collect()
    assert sum(map(open_handles, paths)) == 8, "the others' files were closed"
    del first
    gc.collect()
    assert again.item(0).mixture.grid.num == 2**12


def test_a_store_is_bounded_by_its_bytes():
    store = Store(10, most_bytes=1100)
    grid = TimeGrid(0.0, 1.0, 20)
    for number in range(6):
        store.put(number, TDI(np.zeros((2, 20)), grid, ("A", "E")))  # 320 bytes, and some text
    assert [store.peek(number) is not None for number in range(6)] == [False] * 3 + [True] * 3
    # A part of an array keeps all of it (320 bytes); what is there twice counts once.
    whole = np.zeros(40)
    store.put("parts", {"a": whole[:1], "b": (whole, [whole[2:]])})
    assert store.peek(4) is not None
    store.put("large", bytes(5000))
    assert store.peek("large") is not None, "the latest is kept, whatever its size"
    assert store.peek("parts") is None
    assert store.get("large", lambda: b"") == bytes(5000)
    store.put("small", "x")
    assert store.peek("large") is None


def test_the_strip_shows_the_sum_of_the_bricks(tmp_path):
    from layouts import write_mojito

    paths = [tmp_path / name for name in ("EMRI_1d.h5", "MBHB_1d.h5")]
    for seed, path in enumerate(paths):
        write_mojito(path, seed=seed, num=4000)
    scan = Scan(FileKey.of(paths), 1)
    scan.ask()
    scan._thread.join(60)
    with open_recording(paths) as both, open_recording(paths[0]) as one:
        expected, alone = item_loudness(both.item(0)), item_loudness(one.item(0))
    assert {name: row[0] for name, row in scan.values.items()} == pytest.approx(expected)
    assert expected != pytest.approx(alone)


def test_sessions_remember_files_side_by_side(tmp_path, monkeypatch):
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    written = []
    write = Path.write_text

    def note(path, text, **options):
        written.append(path)
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", note)
    for number in range(2):
        (tmp_path / f"{number}.h5").touch()
        recent.remember(str(tmp_path / f"{number}.h5"))
    assert len(set(written)) == 2
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["recent.json"]
    assert len(recent.recent()) == 2


# Names on the disk ----------------------------------------------------------------------------


@pytest.fixture
def latin(tmp_path):
    """A file whose name is no UTF-8, beside a good one, and a folder of such a name."""
    folder = os.fsencode(tmp_path)
    for name in (b"\xe9.h5", b"\xe9/in.h5"):
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(b"x")
    return os.fsdecode(folder + b"/\xe9.h5")


def test_a_name_that_is_no_text_is_left_out(page, tmp_path, latin, lisa_file, engine, monkeypatch):
    assert [each.path for each in listing.scan([tmp_path]).files] == [str(lisa_file)]
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "recent.json").write_text(json.dumps([latin, str(lisa_file)]))
    monkeypatch.setenv("GWINESS_JOBS", str(jobs))
    assert recent.recent() == [str(lisa_file)]
    clean(page(lisa_file, engine, sep="Hide"))


def test_recent_files_are_shown_though_they_are_not_listed(tmp_path, monkeypatch):
    deep = tmp_path / "data" / "1" / "2" / "3" / "4" / "deep.h5"
    outside = tmp_path / "outside.h5"
    deep.parent.mkdir(parents=True)
    for path in (deep, outside, tmp_path / "data" / "a.h5"):
        path.write_bytes(b"x")
    monkeypatch.setenv("GWINESS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("GWINESS_UPLOADS", str(tmp_path / "uploads"))
    for path in (outside, deep):
        recent.remember(str(path))
    assert [each.path for each in browser._found(browser._RECENT)] == [str(deep)]
    folder = str((tmp_path / "data").resolve())
    assert [each.path for each in browser._found(folder)] == [str(tmp_path / "data" / "a.h5")]
    assert browser._cut(folder) == []


# Links ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"), [("9" * 4301, 0), ("9" * 12, 3), ("²", 0), ("1e3", 0), ("٣", 3)]
)
def test_a_hostile_item_in_the_link_does_no_harm(page, lisa_file, engine, item, expected):
    at = clean(page(lisa_file, engine, sep="Hide", item=item))
    assert at.session_state["_loaded"].index == expected


@pytest.mark.parametrize(
    ("zoom", "drawn"),
    [
        ("1e12,1e13,0.001,0.01", False),
        ("0,1e6,1,2", False),
        ("0,1e6,1e-12,1e-11", False),
        ("1e308,1.7e308,0.001,0.01", False),
        ("0,1e6,0.001,0.0010000000000000002", False),
        # At the edges something is left to draw.
        ("327679.9,1e300,0.001,0.01", True),
        ("0,1e-300,0.001,0.01", True),
        ("0,1e5,1e-300,1e300", True),
        ("0,1e5,0.0499,1", True),
    ],
)
def test_a_zoom_beyond_the_item_does_no_harm(page, lisa_file, engine, zoom, drawn):
    at = clean(page(lisa_file, engine, sep="Hide", zoom=zoom))
    assert ("Zoom:" in texts(at)) == drawn
    assert ("zoom" in link_of(at)) == drawn
    assert len(heatmaps(at)) == 1


def test_a_zoom_does_not_outlive_the_items_that_it_was_made_for(page, tmp_path, engine):
    from layouts import write_sangria

    path = tmp_path / "sangria.h5"
    write_sangria(path, num=20000)
    at = clean(page(path, engine, sep="Hide", zoom="60000,90000,0.001,0.01"))
    assert "Zoom:" in texts(at)
    at.number_input(key="days").set_value(0.25).run()
    assert "Zoom:" not in texts(clean(at))


HOSTILE = ["nan", "inf", "-1", "0", "1e-300", "1e300", "1e-9", "9" * 4301, "x", "1,2"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_answer_in_the_link_does_no_harm(page, tmp_path, engine, value):
    from layouts import write_sangria

    write_sangria(tmp_path / "b.h5", num=5000)
    bare = write_bare(tmp_path / "a.h5")
    for at in (
        page(bare, engine, sep="Hide", dt=value, chan="A,E"),
        page(bare, engine, sep="Hide", dt="10", chan=value),
        page(tmp_path / "b.h5", engine, sep="Hide", days=value),
    ):
        assert not at.exception, [each.value for each in at.exception]
        # One sentence, if anything is wrong with it.
        assert len(at.error) <= 1
        assert all("\n" not in each.value for each in at.error)


@pytest.mark.parametrize("when", [*HOSTILE, "0,1e-9", "0,1e-320", "327679.999,1e308", "0,inf"])
def test_a_hostile_span_in_the_link_does_no_harm(page, lisa_file, engine, when):
    from test_views import on_compare, waves

    assert waves(on_compare(page(lisa_file, engine, sep="Hide"), when=when))["data"]


@pytest.mark.parametrize("dt", [1e-300, 1e-10, 1e10, 1e300])
def test_a_file_with_an_absurd_sampling_is_one_sentence(page, tmp_path, engine, dt):
    at = page(write_bare(tmp_path / "a.h5", dt=dt, channels="A,E"), engine, sep="Hide")
    assert not at.exception
    assert "the sampling interval is" in at.error[0].value


@pytest.mark.parametrize("span", [(1e12, 1e13), (655359.0, 655359.5), (-5.0, -1.0), (3.0, 4.0)])
def test_a_map_of_nothing_is_that_of_the_nearest_frame(span):
    grid = TimeGrid(0.0, 10.0, 2**16)
    found = display_map(np.ones(grid.num), grid, 4096, band_edges((1e-4, 4e-2), 50), True, span)
    assert found.values.shape == (50, 1)
    assert 0 <= found.times[0] <= grid.duration + 4096 * grid.dt


def test_bands_of_one_frequency_have_a_tick():
    assert frequency_ticks(np.full(5, 1e-3)) == ([0.0], ["1 mHz"])


# What the reader answers ----------------------------------------------------------------------


def test_answers_about_one_file_are_not_taken_for_another(page, tmp_path, engine):
    first, second = (write_bare(tmp_path / f"{name}.h5") for name in "ab")
    at = clean(page(first, engine, sep="Hide", dt="10", chan="A,E"))
    assert at.session_state["_loaded"].key.dt == 10.0
    at.selectbox(key="file").set_value(str(second)).run()
    assert "does not say" in texts(clean(at))
    assert at.number_input(key="dt").value is None
    assert not at.text_input(key="chan").value
    assert at.session_state["_loaded"] is None
    assert "dt" not in at.query_params
    at.number_input(key="dt").set_value(900.0).run()
    at.text_input(key="chan").set_value("X,Y").run()
    shown = clean(at).session_state["_loaded"]
    assert (shown.key.path, shown.key.dt, shown.info.channels) == (str(second), 900.0, ("X", "Y"))
    clean(at.run())
    assert at.session_state["_loaded"].key.dt == 900.0


def test_the_length_of_an_item_is_that_of_one_stream(page, tmp_path, engine):
    from layouts import write_sangria

    first, second = tmp_path / "a.h5", tmp_path / "b.h5"
    for path in (first, second):
        write_sangria(path, num=20000)
    at = clean(page(first, engine, sep="Hide", days="0.25"))
    assert "4 items" in texts(at), "the card tells what the answer makes of the file"
    at.selectbox(key="file").set_value(str(second)).run()
    assert "1 of 1" in texts(clean(at))
    assert "1 item<" in texts(at)
    assert at.number_input(key="days").value is None


def test_the_card_speaks_to_the_reader_of_a_page(page, tmp_path, engine):
    at = clean(page(write_bare(tmp_path / "a.h5"), engine, sep="Hide"))
    assert "the sampling interval and the names of the channels" in texts(at)
    assert "--" not in texts(at)
    assert "TDI generation" in texts(at), "other remarks stay"
    at.text_input(key="chan").set_value("A,E,T").run()
    assert "2 channels" in at.error[0].value
    assert at.button(key="close"), "a file with a wrong answer can still be closed"


# What the page says ---------------------------------------------------------------------------


def test_how_long_uploads_stay_is_said_as_it_is(page, lisa_file, engine):
    at = page(lisa_file, engine, sep="Hide")
    at.switch_page("views/models.py").run()
    assert "until the session ends" not in texts(clean(at))
    assert "survives a reload" in texts(at)
    assert "a day" in texts(at)


def test_the_squared_ratio_of_the_curves_gives_the_snr():
    """What the help of the scales says."""
    grid = TimeGrid(0.0, 10.0, 2**16)
    band = (1e-3, 1e-2)
    # Silent at the ends: Welch's windows see all of the rest alike, and nothing is tapered.
    envelope = np.hanning(grid.num) ** 2
    wave = 1e-20 * envelope * np.cos(2 * np.pi * (3e-3 + 1e-9 * grid.times) * grid.times)
    whitener = analytic_whitener(grid, ("A",), 1.5, band)
    snr2 = np.sum(whiten(TDI(wave[None], grid, ("A",)), whitener).data ** 2)
    line, noise = spectrum(wave, grid, 4096, band, "#000000"), noise_spectrum(whitener, grid, "#0")
    step = line.frequency[1] - line.frequency[0]
    for scale in ("density", "characteristic"):
        level = np.exp(
            np.interp(np.log(line.frequency), np.log(noise.frequency), np.log(noise.on(scale)))
        )
        found = 2 * grid.duration * np.sum((line.on(scale) / level) ** 2) * step
        # 31 windows, where 32 halves would fill the item: each counts for a little more.
        assert found * 31 / 32 == pytest.approx(snr2, rel=2e-3)


def test_the_help_of_the_scales_promises_no_areas(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide", **{"as": "Spectra"}))
    assert "∫ (its curve / the noise's)² df" in at.get_by_key("scale").proto.help


@pytest.mark.parametrize(
    ("channels", "expected"), [("A,E,T", "comes from loud signals"), ("X,Y,Z", "share links")]
)
def test_correlated_noise_is_not_called_a_signal(page, tmp_path, channels, expected):
    path = write_bare(tmp_path / "a.h5", 3, dt=10.0, channels=channels)
    at = clean(page(path, AnswersAtOnce(kinds=()), tab="Correlation"))
    found = [text for text in ("comes from loud signals", "share links") if text in texts(at)]
    assert found == [expected]


@pytest.mark.parametrize(
    ("unit", "axis"), [(None, "[1]"), ("fractional frequency", "[1]"), ("<b>m</b>", "[&lt;b&gt;m")]
)
def test_waveforms_have_the_items_unit(page, tmp_path, engine, unit, axis):
    from test_views import on_compare, waves

    path = write_lisa(tmp_path / "a.h5", 1)
    with h5py.File(path, "a") as file:
        if unit is None:
            del file.attrs["unit"]
        else:
            file.attrs["unit"] = unit
    at = on_compare(page(path, engine, sep="Hide", whiten="Off"))
    assert axis in waves(at)["layout"]["yaxis"]["title"]["text"]
    assert "whitened samples" not in texts(at)


def test_amplitude_spectra_have_a_unit():
    grid = TimeGrid(0.0, 0.1, 300)
    streams = {"long": (np.ones(300), grid, "#000000")}
    assert spectrum_figure(streams, (2.0, 3.0)).layout.yaxis.title.text == "amplitude [1]"
    figure = spectrum_figure(streams, (2.0, 3.0), unit="m")
    assert figure.layout.yaxis.title.text == "amplitude [m]"


def test_text_of_a_file_does_not_become_a_formula():
    table = {
        "=cmd": ['=HYPERLINK("http://x")', "+1", "-1", "@SUM(1)", "\t=1", "a=1", ""],
        "number": [-1.5, -2, np.float32(-1), None, 0, float("-inf"), True],
    }
    text = table_to_csv(table, {"file": "=1"})
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    assert rows[0] == ["'=cmd", "number"]
    assert [row[0][:2] for row in rows[1:]] == ["'=", "'+", "'-", "'@", "'\t", "a=", ""]
    assert [row[1] for row in rows[1:]] == ["-1.5", "-2", "-1.0", "", "0", "-inf", "True"]


def test_a_store_may_be_used_by_many_at_once():
    store = Store(3, most_bytes=2000)
    problems = []

    def work(seed):
        rng = np.random.default_rng(seed)
        try:
            for _ in range(200):
                store.get(int(rng.integers(8)), lambda: np.zeros(int(rng.integers(1, 200))))
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert store._bytes.keys() == store._values.keys()
