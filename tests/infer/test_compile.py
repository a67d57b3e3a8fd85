from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np
from filelock import FileLock
from numba.extending import is_jitted
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.config.galactic import GalacticConfig
from gwiness.infer import compile, kernel
from gwiness.infer.compilation import Compilation
from gwiness.infer.compile import compile_galactic, compile_search
from gwiness.infer.exact import ExactPosterior
from gwiness.infer.galactic import chain, exchange, lone, posterior, setting, template
from gwiness.infer.galactic.bands import item_spectrum
from gwiness.infer.galactic.estimator import GalacticEstimator
from gwiness.simulate.galactic_bands import population_item


def signatures():
    """By compiled function that Python calls, the types that it was compiled for."""
    functions = {name: getattr(kernel, name) for name in kernel.__all__}
    return {name: set(function.signatures) for name, function in functions.items()}


def test_a_posterior_compiles_nothing_more(make_item, prior, rng):
    compile_search()
    before = signatures()
    assert before["climb"]
    assert before["cut_off"]
    # Two sources at the law's smallest distance press against its bounds.
    item = make_item([[1.0, 0.4, 2.6], [0.8, 2.0, 2.604]], 1.5)
    ExactPosterior(prior.law, "test").posterior(item, num_samples=100, rng=rng)
    assert signatures() == before


def test_a_posterior_of_galactic_binaries_compiles_nothing_more():
    compile_galactic()
    modules = (chain, exchange, lone, posterior, setting, template)
    functions = [each for module in modules for each in vars(module).values() if is_jitted(each)]
    before = [set(each.signatures) for each in functions]
    assert exchange.exchange.signatures, "there was a source to exchange"
    assert lone._draws.signatures, "and a window without one"
    item, bands = population_item(np.random.default_rng(3), 2, 2**18)
    config = GalacticConfig(data="mixture", rounds=1)
    spectrum = item_spectrum(item, config)
    for band in bands:
        GalacticEstimator(config).posterior(spectrum.window(band), band, np.random.default_rng(0))
    assert [set(each.signatures) for each in functions] == before


def test_two_processes_compile_one_after_the_other():
    with ThreadPoolExecutor() as pool, FileLock(compile._LOCK):
        waits = pool.submit(compile_search)
        assert wait([waits], timeout=0.5).not_done
    assert waits.done()
    waits.result()


def test_compiling_in_the_background_says_what_is_ready():
    compilation = Compilation()
    assert compilation.running("sinusoid")
    for search in ("galactic", "sinusoid"):
        compilation.wait(search)
        assert not compilation.running(search)


def test_nobody_waits_for_a_compiler_that_died(monkeypatch):
    monkeypatch.setattr("gwiness.infer.compilation._BEHIND", "raise SystemExit(1)")
    compilation = Compilation()
    compilation.wait("galactic")
    assert not compilation.running("sinusoid")


def test_the_verb_compiles_every_search(monkeypatch):
    done = []
    searches = (("one", lambda: done.append("one")), ("other", lambda: done.append("other")))
    monkeypatch.setattr("gwiness.infer.compile.SEARCHES", searches)
    result = CliRunner().invoke(app, ["compile"])
    assert result.exit_code == 0
    assert done == ["one", "other"]
