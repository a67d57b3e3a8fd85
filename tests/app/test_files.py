"""What the path picker lists, what it remembers, and several bricks as one file."""

import sys
from pathlib import Path

import pytest
from standins import clean, heatmaps, link_of, texts

from app import listing, recent

ROOT = Path(__file__).resolve().parents[2]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 12)
    return path


def test_data_files_are_listed_with_size_and_links_that_lead_out_are_not(tmp_path):
    data = tmp_path / "data"
    wanted = [touch(data / name) for name in ("a.h5", "deep/er/b.HDF5", "c.hdf")]
    for name in ("notes.txt", ".hidden.h5", "models/x.h5", ".git/x.h5", "1/2/3/4/too-deep.h5"):
        touch(data / name)
    outside = touch(tmp_path / "outside.h5")
    (data / "out.h5").symlink_to(outside)
    (data / "folder").symlink_to(tmp_path)
    (data / "in.h5").symlink_to(wanted[0])
    (data / "gone.h5").symlink_to(data / "nowhere.h5")
    found = listing.scan([data]).files
    assert {each.path for each in found} == {*map(str, wanted), str(data / "in.h5")}
    assert {each.size for each in found} == {12}
    assert listing.scan([tmp_path / "nowhere"]) == listing.Listing(())


def test_results_are_listed_last(tmp_path):
    for name in ("a.h5", "a-result.h5", "a-item12-result.h5", "c.h5"):
        touch(tmp_path / name)
    found = [Path(each.path).name for each in listing.scan([tmp_path]).files]
    assert found == ["a.h5", "c.h5", "a-item12-result.h5", "a-result.h5"]


def test_a_huge_folder_does_not_stop_the_page(tmp_path, monkeypatch):
    for number in range(30):
        touch(tmp_path / f"{number:02d}.h5")
    assert listing.scan([tmp_path]).cut == ()
    monkeypatch.setattr(listing, "_MAX_SEEN", 20)
    found = listing.scan([tmp_path])
    assert (len(found.files), found.cut) == (20, (str(tmp_path),))
    monkeypatch.setattr(listing, "_MAX_FILES", 7)
    found = listing.scan([tmp_path])
    assert (len(found.files), found.cut) == (7, (str(tmp_path),))


def test_a_huge_folder_does_not_hide_the_others(tmp_path, monkeypatch):
    for number in range(9):
        touch(tmp_path / "large" / f"{number}.h5")
    for number in range(7):
        touch(tmp_path / "small" / f"{number}.h5")
    monkeypatch.setattr(listing, "_MAX_FILES", 7)
    found = listing.scan([tmp_path / "large", tmp_path / "small"])
    assert [Path(each.path).parent.name for each in found.files] == ["large"] * 7 + ["small"] * 7
    assert found.cut == (str(tmp_path / "large"),)


def test_recent_files_are_the_latest_first_and_those_that_are_gone_are_left_out(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    assert recent.recent() == []
    paths = [str(touch(tmp_path / f"{number}.h5")) for number in range(15)]
    for path in (*paths, paths[5]):
        recent.remember(path)
    assert recent.recent() == [paths[5], *reversed([*paths[3:5], *paths[6:]])][:12]
    Path(paths[5]).unlink()
    assert recent.recent()[0] == paths[14]
    (tmp_path / "jobs" / "recent.json").write_text('{"a": [')
    assert recent.recent() == []
    monkeypatch.setenv("GWINESS_JOBS", str(touch(tmp_path / "file") / "jobs"))
    recent.remember(paths[0])
    assert recent.recent() == []


@pytest.fixture
def bricks(tmp_path):
    sys.path.insert(0, str(ROOT / "tests" / "io"))
    from layouts import write_mojito

    paths = [tmp_path / name for name in ("EMRI_1d.h5", "MBHB_1d.h5")]
    for seed, path in enumerate(paths):
        write_mojito(path, seed=seed, num=4000)
    return paths


def test_several_bricks_open_as_their_sum_and_an_odd_file_says_so(page, bricks, lisa_file, engine):
    first, second = bricks
    at = clean(page(first, engine, f"{first} + {second}", sep="Hide"))
    assert "2 bricks summed" in texts(at)
    assert "EMRI_1d.h5 + MBHB_1d.h5" in texts(at)
    assert len(heatmaps(at)) == 1
    assert at.code[0].value.count(".h5") == 2
    again = clean(page(first, engine, link_of(at)["file"], sep="Hide"))
    assert again.session_state["_loaded"].key == at.session_state["_loaded"].key
    at = page(first, engine, f"{first} + {lisa_file}", sep="Hide")
    assert "only Mojito bricks are summed" in at.error[0].value


def test_an_upload_of_another_page_is_not_opened_by_a_link(page, lisa_file, engine, tmp_path):
    folder = tmp_path / "uploads" / ("0" * 64) / ("1" * 32)
    folder.mkdir(parents=True)
    secret = folder / "secret.h5"
    secret.write_bytes(lisa_file.read_bytes())
    at = page(lisa_file, engine, sep="Hide")
    assert not any("secret" in option for option in at.selectbox(key="file").options)
    for text in (str(secret), "secret.h5 (upload 1111)", f"{lisa_file} + {secret}"):
        at = page(lisa_file, engine, text, sep="Hide")
        assert not at.exception
        assert "uploaded by another page" in " ".join(info.value for info in at.info)
        assert heatmaps(at) == []
