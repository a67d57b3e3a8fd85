"""``gwiness listen`` on the sample data: what is heard is what was asked for."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
from layouts import write_mojito
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.core.errors import GwinessError
from gwiness.io.formats import open_recording

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
LISA, SINUSOID = SAMPLES / "lisa-sample.h5", SAMPLES / "sinusoid-sample.h5"


def run(*arguments):
    result = CliRunner().invoke(app, ["listen", *(str(argument) for argument in arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def spectrum(path):
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767
        rate = file.getframerate()
    return np.fft.rfftfreq(len(samples), 1 / rate), np.abs(np.fft.rfft(samples)), samples


def off_key(freqs, power, sources, factor):
    """Distance of the strongest line from the nearest source's pitch, relative."""
    return np.abs(freqs[np.argmax(power)] / (factor * sources) - 1).min()


def test_the_loudest_binary_sounds_at_its_frequency_times_the_factor(tmp_path):
    out = tmp_path / "x.wav"
    arguments = (LISA, "--items", "1", "--source", "gb", "--injected", "--band", "1:10")
    facts = json.loads(run(*arguments, "--out", out, "--json").stdout)
    assert facts["factor"] == 100_000
    with open_recording(LISA) as recording:
        truth = recording.item(1).catalogues["gb"]
    freqs, power, samples = spectrum(out)
    # Which of the binaries is the loudest depends on the channel; none is heard out of tune.
    assert off_key(freqs, power, truth["frequency"], facts["factor"]) < 5e-4
    assert np.abs(samples).max() < 1.0


def test_the_mixture_of_either_task_can_be_heard_and_says_how_fast(tmp_path):
    out = tmp_path / "x.wav"
    assert "played 200,000 times faster: 1 mHz sounds at 200 Hz" in run(LISA, "--out", out).stdout
    assert spectrum(out)[2].std() > 0.03
    line = run(SINUSOID, "--items", "2", "--out", out, "--factor", "100").stdout
    assert "played 100 times faster: 1 Hz sounds at 100 Hz" in line
    with open_recording(SINUSOID) as recording:
        catalogue = recording.item(2).catalogues["sinusoid"]
    freqs, power, _ = spectrum(out)
    assert off_key(freqs, power, catalogue["frequency"], 100.0) < 2e-3


def test_a_separated_class_can_be_heard(tmp_path):
    out = tmp_path / "x.wav"
    arguments = ("--source", "gb", "--model", "scnet-lisa-fast", "--out", out, "--band", "1:10")
    run(LISA, "--items", "0", *arguments)
    separated = spectrum(out)[1]
    run(LISA, "--items", "0", "--injected", *arguments)
    injected = spectrum(out)[1]
    overlap = separated @ injected / np.sqrt((separated @ separated) * (injected @ injected))
    assert overlap > 0.95


def test_of_bricks_their_sum_is_heard(tmp_path):
    paths = [tmp_path / name for name in ("EMRI_1d.h5", "MBHB_1d.h5")]
    for seed, path in enumerate(paths):
        write_mojito(path, seed=seed, num=4000)
    heard = []
    for files in (paths[:1], paths[1:], paths):
        run(*files, "--out", tmp_path / "x.wav", "--factor", "1000", "--band", "10:150")
        heard.append(spectrum(tmp_path / "x.wav")[2])
    first, second, both = heard
    # Each is brought to one level: what is left is the sum up to two factors.
    parts, *_ = np.linalg.lstsq(np.stack([first, second], 1), both, rcond=None)
    assert parts.min() > 0.3
    rest = both - parts @ np.stack([first, second])
    assert rest.std() < 1e-3 * both.std()
    # And a class is the brick of that name.
    arguments = ("--source", "mbhb", "--injected", "--factor", "1000", "--band", "10:150")
    run(*paths, "--out", tmp_path / "x.wav", *arguments)
    assert np.abs(spectrum(tmp_path / "x.wav")[2] - second).max() < 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LISA, SINUSOID), "only Mojito bricks are summed"),
        ((LISA, "--source", "noise", "--injected"), "injected classes in this file"),
        ((LISA, "--channel", "Q"), "there are A, E, T"),
        ((LISA, "--items", "0:2"), "number of one item"),
        ((LISA, "--items", "9"), "items 0 to 3"),
        ((LISA, "--noise", "own"), "neither a noise PSD"),
        ((LISA, "--noise", "pink"), "expected one of"),
        ((LISA, "--band", "60:70"), "the data end at 50 mHz"),
        ((LISA, "--factor", "1000"), "choose another factor"),
        ((LISA, "--out", "/nowhere/x.wav"), "cannot be written"),
        ((SINUSOID, "--source", "gb"), "no stems"),
    ],
)
def test_wrong_requests_are_one_sentence(tmp_path, arguments, message):
    with pytest.raises(GwinessError, match=message) as caught:
        run("--out", tmp_path / "x.wav", *arguments)
    assert "\n" not in str(caught.value)
