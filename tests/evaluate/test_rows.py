import json

import numpy as np
import pytest

from gwiness.core.errors import FileProblem
from gwiness.evaluate.rows import RowFile, rows_key
from gwiness.evaluate.scores import (
    BandSums,
    ItemScores,
    Leak,
    Score,
    Whiteness,
    from_row,
    to_row,
)

NAN = float("nan")


def scores(value):
    return ItemScores(
        scores=(
            Score(
                *("mbhb", 300.0, value, 0.99, -13.0, NAN, 290.0, 0.5),
                leaks={"gb": Leak(0.01, 0.001, 0.0)},
                oracles={256: 24.0, 512: NAN},
                num_sources=2,
            ),
            Score("gb", 0.0, NAN, NAN, NAN, NAN, 1.0, 0.01),
        ),
        residual=Whiteness(0.97, 1.1, 0.3, [1.0, 1.1]),
        noise=Whiteness(0.98, 1.0, 0.5, [1.0, 0.9]),
        bands=BandSums([1e-3, 2e-3, 3e-3], [8.0, 8.0], [9.0, 9.0], {"gb": [0, 1]}, {"gb": [0, 1]}),
        cpu_s=3.5,
    )


def rows_of(path, key):
    return RowFile(path, key, to_row, from_row)


def same(a, b):
    np.testing.assert_equal(repr(a), repr(b))


def test_rows_come_back_as_they_were(tmp_path):
    path, key = tmp_path / "a.rows.jsonl", rows_key({"file": "a.h5"})
    rows_of(path, key).add(3, scores(20.0))
    rows_of(path, key).add(1, scores(21.0))
    done = rows_of(path, key).done
    assert list(done) == [3, 1]
    same(done[3], scores(20.0))
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # NaN is no JSON


def test_rows_of_another_model_or_file_are_not_used_and_stay(tmp_path):
    path = tmp_path / "a.rows.jsonl"
    rows_of(path, rows_key({"model": "1"})).add(0, scores(20.0))
    other = rows_of(path, rows_key({"model": "2"}))
    assert other.done == {}
    other.add(0, scores(10.0))
    assert rows_of(path, rows_key({"model": "1"})).done[0][0].nsdr == 20.0
    assert rows_of(path, rows_key({"model": "2"})).done[0][0].nsdr == 10.0


def test_a_line_cut_short_is_written_again(tmp_path):
    path, key = tmp_path / "a.rows.jsonl", rows_key({})
    rows_of(path, key).add(0, scores(20.0))
    whole = path.read_text()
    path.write_text(whole + whole[:100])
    rows = rows_of(path, key)
    assert list(rows.done) == [0]
    rows.add(1, scores(21.0))
    assert list(rows_of(path, key).done) == [0, 1]


@pytest.mark.parametrize("line", ["not json", '{"no": 1}', "[]", '{"index": 0, "key": "mine"}'])
def test_a_file_of_something_else_is_a_sentence(tmp_path, line):
    path = tmp_path / "a.rows.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(FileProblem, match="line 1 is not the scores"):
        rows_of(path, "mine")
