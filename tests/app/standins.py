"""Small files of both kinds, an engine that answers at once, and what is on a page."""

import json
from dataclasses import replace
from urllib.parse import parse_qs

import numpy as np

from gwiness.core.calibration import Calibration
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI
from gwiness.engine import Engine
from gwiness.io.formats import open_recording
from gwiness.io.results import ResultWriter
from gwiness.signal.psd import analytic_psd
from gwiness.signal.whiten import analytic_whitener, whiten

CHANNELS = ("A", "E", "T")


def _noise(grid, rng):
    psd = analytic_psd(grid, CHANNELS)
    spectrum = (rng.normal(size=psd.shape) + 1j * rng.normal(size=psd.shape)) * np.sqrt(psd)
    return np.fft.irfft(spectrum * np.sqrt(grid.num / (4 * grid.dt)), n=grid.num)


def _both(wave):
    """The same wave in A and, a quarter period later, in E; nothing in T."""
    return np.stack([wave, np.roll(wave, 7) * 0.8, np.zeros_like(wave)])


def lisa_item(seed, num=2**15, dt=10.0):
    """Noise, a chirp, three lines and a comb, with full truth; shapes as in a real item."""
    rng = np.random.default_rng(seed)
    grid = TimeGrid(864000.0 + seed * 86400.0, dt, num)
    t = grid.times - grid.start
    merger = grid.duration * rng.uniform(0.5, 0.8)
    tau = np.maximum(merger - t, 50.0)
    chirp = np.where(t < merger, 4e-20 * (tau / 1e5) ** -0.25, 0.0)
    chirp = chirp * np.cos(2 * np.pi * 4.0 * (merger / 1e3) ** 0.4 * (tau / merger) ** 0.625)
    freqs = np.sort(rng.uniform(1.5e-3, 9e-3, 3))
    lines = sum(3e-21 * np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in freqs)
    base = rng.uniform(2e-3, 3e-3) * (1 + 0.15 * t / grid.duration)
    comb = sum(4e-22 * np.sin(2 * np.pi * n * np.cumsum(base) * dt) for n in (1, 2, 3))
    stems = {"mbhb": chirp, "emri": comb, "gb": lines}
    sources = {kind: TDI(_both(wave), grid, CHANNELS) for kind, wave in stems.items()}
    noise = TDI(_noise(grid, rng), grid, CHANNELS)
    mixture = noise
    for stem in sources.values():
        mixture = mixture + stem
    space = SPACES["gb"]
    theta = np.full((3, len(space)), 1.0)
    theta[:, space.index("frequency")] = freqs
    theta[:, space.index("frequency_derivative")] = 0.0
    gb = Catalogue("gb", space, theta, {"snr": np.array([31.0, 42.5, 12.0])})
    space = SPACES["mbhb"]
    theta = np.full((1, len(space)), 0.5)
    theta[0, :2] = 2e6, 9e5
    theta[0, space.index("coalescence_time")] = grid.start + merger
    mbhb = Catalogue("mbhb", space, theta, {"snr": np.array([812.0])})
    catalogues = {"mbhb": mbhb, "gb": gb}
    return Item(mixture, sources, noise, catalogues, seed=seed, label=f"item {seed}")


def write_lisa(path, num_items=4, num=2**15):
    from gwiness.io.native_writer import write_items

    items = (lisa_item(seed, num) for seed in range(num_items))
    write_items(path, items, config_text="", seed=0, created="2026-01-01T00:00:00+00:00")
    return path


def write_sinusoids(path, num_items=3):
    from gwiness.config.slotflow import StreamConfig
    from gwiness.io.sinusoid import SinusoidWriter

    rng = np.random.default_rng(5)
    streams = StreamConfig()
    with SinusoidWriter(path, num_items, streams, "", 5) as writer:
        for index in range(num_items):
            theta = np.stack(
                [rng.uniform(0.5, 1.5, 3), rng.uniform(0, 6, 3), [2.55, 2.7, 2.9]], axis=1
            )
            parts = []
            for num, end in ((streams.long_num, 300.0), (streams.short_num, 10.0)):
                t = np.linspace(0, end, num)
                wave = sum(a * np.sin(2 * np.pi * f * t + p) for a, p, f in theta)
                parts.append(wave + 0.3 * rng.normal(size=num))
            writer.put(index, parts[0], parts[1], theta, 0.3)
    return path


def card(name, kind):
    return ModelCard(
        name=name,
        kind=kind,
        sha256="0" * 64,
        gwiness="0.1.0",
        summary="A stand-in for tests.",
        data=DataCard(config="", num_items=10, seed=1),
        training=TrainingCard(device="CPU", minutes=1.0, steps=10),
        metrics={"nsdr_db": {"mbhb": 24.0, "gb": 17.5}},
        scope=ScopeCard(dt_s=10.0, channels=("A", "E"), kinds=("mbhb", "emri", "gb")),
        limits=LimitsCard(text="For tests only."),
    )


LEVELS = [0.0, 0.5, 1.0]
RATES = {
    "edges": [0.0, 1e-3, None],
    "n": [3, 40],
    "recall": [0.5, 0.95],
    "recall_interval": [[0.3, 0.7], [0.9, 0.98]],
    "precision": [None, 1.0],
    "precision_interval": [None, [0.97, 1.0]],
    "coverage_90": [None, 0.9],
}
CALIBRATION = Calibration.model_validate(
    {
        "n": 20,
        "p_p": {"level": LEVELS, "amplitude": LEVELS, "phase": LEVELS, "frequency": LEVELS},
        "sbc": {name: {"counts": [20, 23]} for name in ("amplitude", "phase", "frequency")},
        "reliability": [{"n": 20, "confidence": 0.9, "right": 0.8, "right_interval": [0.7, 0.9]}],
        "by_separation_hz": RATES,
        "by_snr": RATES,
    }
)


class AnswersAtOnce:
    """Stands in for the engine: stems are the injections, a tenth too small."""

    device = "cpu"
    has_loaded = True
    # Cutting out a band needs no model.
    bands, band_at = Engine.bands, Engine.band_at

    def __init__(self, kinds=("separator", "slotflow")):
        names = {"separator": "scnet-test", "slotflow": "slotflow-test"}
        self._cards = [card(names[kind], kind) for kind in kinds]
        self.separated = 0

    def cards(self, kind=None):
        return [each for each in self._cards if kind in (None, each.kind)]

    def loaded(self, name):
        return next((each for each in self._cards if each.name == name), None)

    def load_separator(self, name):
        pass

    def calibrations(self, name):
        return {"nominal, refined": CALIBRATION} if name == "slotflow-test" else {}

    def separate(self, item, model, progress=None):
        self.separated += 1
        if progress is not None:
            progress(0.5, "half way")
        channels = ("A", "E")
        whitener = analytic_whitener(item.mixture.grid, channels)
        mixture = whiten(item.mixture.select(channels), whitener, item.gaps)
        stems = {
            kind: 0.9 * whiten(stem.select(channels), whitener).data * mixture.valid
            for kind, stem in item.sources.items()
        }
        return Separation.from_estimates(mixture, stems, model)

    def infer(self, item, model, num_samples, refine, seed):
        rng = np.random.default_rng(seed)
        truth = item.catalogues["sinusoid"].theta
        widths = np.array([0.05, 0.1, 2e-4])
        sets = []
        for factor in (3.0, 1.0):
            theta = truth + factor * widths * rng.normal(size=(num_samples, *truth.shape))
            mask = np.ones(theta.shape[:2], bool)
            log_weight = 0.3 * rng.normal(size=num_samples)
            flat = np.zeros(num_samples)
            sets.append(SampleSet(theta, mask, flat, flat, log_weight))
        log_p = np.full(11, -8.0)
        log_p[len(truth)] = 0.0
        space, best = SPACES["sinusoid"], len(truth)
        amortised = Posterior(log_p / 2, {best: sets[0]}, space, model)
        return Posterior(log_p, {best: sets[1]}, space, model, amortised=amortised)


def write_search(path, file, header, engine=None):
    """A result of the search of item 0: the injected binaries, exactly; streams by an engine."""
    with open_recording(file) as recording:
        item = recording.item(0)
    truth = item.catalogues["gb"]
    sure = np.ones(len(truth))
    extra, units = {"snr": truth["snr"], "p_real": sure, "p_match": sure}, {}
    for parameter in truth.space.parameters:
        for suffix in ("5", "95", "best"):
            extra[f"{parameter.name}_{suffix}"] = truth[parameter.name]
            units[f"{parameter.name}_{suffix}"] = parameter.unit
    writer = ResultWriter(path, header)
    separation = None
    if engine is not None:
        separation = engine.separate(item, "scnet-test")
        stem = separation.mixture.with_data(separation.estimates["gb"].data / 0.95)
        separation = replace(separation, refined={"gb": stem})
    writer.put(0, separation=separation, catalogue=Catalogue.empty("gb"))
    writer.put(0, catalogue=Catalogue("gb", truth.space, truth.theta, extra, units), part=0)
    writer.finish()


def clean(at):
    assert not at.exception, [each.value for each in at.exception]
    assert not at.error, [each.value for each in at.error]
    return at


def figures(at):
    """Specification of each plotly figure on the page."""
    return [json.loads(each.proto.spec) for each in at.get("plotly_chart")]


def heatmaps(at):
    return [trace for each in figures(at) for trace in each["data"] if trace["type"] == "heatmap"]


def texts(at):
    return " ".join(
        each.value
        for kind in ("html", "markdown", "caption", "info", "warning")
        for each in at.get(kind)
        if isinstance(each.value, str)
    )


def link_of(at):
    """The link that the page shows, by key."""
    html = next(each.value for each in at.get("html") if "gw-link" in str(each.value))
    text = html.split('<code class="gw-link">')[1].split("</code>")[0].replace("&amp;", "&")
    assert text.startswith("?")
    found = parse_qs(text[1:], strict_parsing=True)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}
