"""The files of a learned state bring it back bit by bit, and every damage is named instead of used."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from forecasting.adapters import learned_files
from forecasting.adapters.learned_files import read_learned, write_learned
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.learned import Learned

STATE = Learned(
    meta={"steps": [86400], "members": ["a", "b"], "weights": {"a": 0.25, "b": 0.75}, "none": None, "yes": True},
    arrays={
        "day/trees": np.arange(24, dtype=np.int32).reshape(2, 3, 4),
        "day/values": np.array([0.1, np.nan, -np.inf, 5e-324]),
        "big": np.arange(3, dtype=">f8"),
        "none": np.empty((0, 4), dtype=np.float32),
        "one": np.array(7, dtype=np.uint8),
        "flags": np.array([True, False]),
    },
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_learned(tmp_path / "state", STATE)


def resealed(folder: Path, change: Callable[[dict[str, object]], None], packed: bytes | None = None) -> None:
    """Change the JSON (and the arrays) as somebody would who puts the hashes right too."""
    document = json.loads((folder / "state.json").read_text())
    if packed is not None:
        (folder / "arrays.npz").write_bytes(packed)
        document["arrays_sha256"] = hashlib.sha256(packed).hexdigest()
    change(document)
    document["sha256"] = learned_files._digest(document)
    (folder / "state.json").write_text(json.dumps(document))


def test_what_was_written_is_read_bit_by_bit(folder: Path) -> None:
    back = read_learned(folder)
    assert back.meta == STATE.meta
    assert set(back.arrays) == set(STATE.arrays)
    for name, array in STATE.arrays.items():
        got = back.arrays[name]
        assert got.shape == array.shape
        assert got.tobytes() == array.astype(array.dtype.newbyteorder("<")).tobytes()
        assert not got.flags.writeable


def test_the_same_state_gives_the_same_bytes_and_can_replace_another(folder: Path, tmp_path: Path) -> None:
    before = [(folder / name).read_bytes() for name in ("state.json", "arrays.npz")]
    write_learned(folder, Learned(meta={}, arrays={}))
    assert read_learned(folder).arrays == {}
    write_learned(folder, STATE)
    assert [(folder / name).read_bytes() for name in ("state.json", "arrays.npz")] == before
    assert {path.name for path in folder.iterdir()} == {"state.json", "arrays.npz"}


def test_numpy_reads_the_arrays_without_pickle(folder: Path) -> None:
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        assert arrays["day/trees"].tolist() == STATE.arrays["day/trees"].tolist()


@pytest.mark.parametrize(
    ("meta", "arrays"),
    [
        ({"x": float("nan")}, {}),
        ({"x": {1: "a"}}, {}),
        ({"x": np.float64(1).astype(np.float32)}, {}),
        ({"x": object()}, {}),
        ({}, {"../x": np.zeros(1)}),
        ({}, {"/x": np.zeros(1)}),
        ({}, {"x//y": np.zeros(1)}),
        ({}, {"x.npy\n": np.zeros(1)}),
        ({}, {"": np.zeros(1)}),
        ({}, {"x" * 201: np.zeros(1)}),
        ({}, {"x": np.array([{}], dtype=object)}),
        ({}, {"x": np.array(["text"])}),
        ({}, {"x": np.zeros(1, dtype=np.complex128)}),
        ({}, {"x": np.zeros(1, dtype=[("a", "f8")])}),
        ({}, {"x": np.array(["2027-01-01"], dtype="datetime64[D]")}),
    ],
)
def test_what_is_not_plain_is_refused_before_anything_is_written(
    meta: dict[str, object], arrays: dict[str, np.ndarray], tmp_path: Path
) -> None:
    with pytest.raises(InputError):
        write_learned(tmp_path / "state", Learned(meta=meta, arrays=arrays))
    assert not (tmp_path / "state").exists()


def test_any_flipped_bit_and_any_cut_is_found(folder: Path) -> None:
    draw = random.Random(1)
    for name in ("state.json", "arrays.npz"):
        whole = (folder / name).read_bytes()
        for _ in range(150):
            place = draw.randrange(len(whole))
            bad = bytearray(whole)
            bad[place] ^= 1 << draw.randrange(8)
            (folder / name).write_bytes(bytes(bad) if draw.random() < 0.7 else whole[:place])
            with pytest.raises(StoreError) as caught:
                read_learned(folder)
            assert caught.value.file in ("state.json", "arrays.npz")
        (folder / name).write_bytes(whole + b"\n")
        if name == "arrays.npz":
            with pytest.raises(StoreError, match="SHA-256"):
                read_learned(folder)
        (folder / name).write_bytes(whole)
    assert read_learned(folder).meta == STATE.meta


def test_flipped_bits_under_right_hashes_are_an_error_or_other_numbers_but_nothing_else(folder: Path) -> None:
    draw = random.Random(2)
    whole = (folder / "arrays.npz").read_bytes()
    for _ in range(300):
        bad = bytearray(whole)
        for _ in range(draw.choice((1, 1, 4))):
            bad[draw.randrange(len(bad))] ^= 1 << draw.randrange(8)
        resealed(folder, lambda document: None, bytes(bad))
        try:
            back = read_learned(folder)
        except StoreError:
            continue
        assert {name: (a.dtype.str, a.shape) for name, a in back.arrays.items()} == {
            name: (a.dtype.newbyteorder("<").str, a.shape) for name, a in STATE.arrays.items()
        }


def archive_of(members: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def one_array(folder: Path, packed: bytes, *, dtype: str = "<f8", shape: object = (1,), name: str = "x") -> None:
    resealed(folder, lambda document: document.update(arrays={name: {"dtype": dtype, "shape": shape}}), packed)


def test_a_pickle_is_never_opened(folder: Path, tmp_path: Path) -> None:
    harmful = np.array([Harmful(tmp_path / "opened")], dtype=object)
    for dtype in ("<f8", "|O"):
        one_array(folder, archive_of([("x.npy", npy(harmful, pickled=True))]), dtype=dtype)
        with pytest.raises(StoreError):
            read_learned(folder)
    (folder / "arrays.npz").write_bytes(pickle.dumps(Harmful(tmp_path / "opened")))
    with pytest.raises(StoreError):
        read_learned(folder)
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("shape", [[2], [], [-1], [True], "1", [2**62], [1] * 9, [1.0], None])
def test_another_shape_than_declared_is_refused(folder: Path, shape: object) -> None:
    one_array(folder, archive_of([("x.npy", npy(np.zeros(1)))]), shape=shape)
    with pytest.raises(StoreError):
        read_learned(folder)


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "float64", "<i8", "<U4", "|V8", "<M8[us]", 5, None, "<c16"])
def test_another_type_than_declared_is_refused(folder: Path, dtype: str) -> None:
    one_array(folder, archive_of([("x.npy", npy(np.zeros(1)))]), dtype=dtype)
    with pytest.raises(StoreError):
        read_learned(folder)


@pytest.mark.parametrize("name", ["../x", "/x", "a\\b", "x.y", "", "a b"])
def test_names_that_are_no_names_are_refused(folder: Path, name: str) -> None:
    one_array(folder, archive_of([(f"{name}.npy", npy(np.zeros(1)))]), name=name)
    with pytest.raises(StoreError):
        read_learned(folder)


def test_bombs_extra_and_missing_members_are_refused(folder: Path) -> None:
    zeros = npy(np.zeros(2_000_000))
    one_array(folder, archive_of([("x.npy", zeros)], zipfile.ZIP_DEFLATED), shape=[2_000_000])
    with pytest.raises(StoreError, match="compressed"):
        read_learned(folder)
    one = npy(np.zeros(1))
    for members in ([("x.npy", one), ("y.npy", one)], [], [("x", one)], [("x.npy", one), ("../z.npy", one)]):
        one_array(folder, archive_of(members))
        with pytest.raises(StoreError, match="members"):
            read_learned(folder)
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive_of([("x.npy", one), ("x.npy", one)])
    one_array(folder, twice)
    with pytest.raises(StoreError, match="members"):
        read_learned(folder)


def test_other_json_is_refused(folder: Path) -> None:
    text = (folder / "state.json").read_text()
    other = text.replace('"version": 1', '"version": 2')
    twice = text.replace("{", '{"meta": {}, ', 1)
    deep = ("[" * 100_000, '{"a": ' * 100_000, "9" * 10_000)
    for bad in ("", "[]", "null", "{}", "NaN", *deep, other, twice, "\ufeff" + text):
        (folder / "state.json").write_text(bad)
        with pytest.raises(StoreError, match=r"state\.json"):
            read_learned(folder)
    (folder / "state.json").write_text(text)
    resealed(folder, lambda document: document.update(more=1))
    with pytest.raises(StoreError, match="keys"):
        read_learned(folder)


def test_links_folders_and_missing_files_are_refused(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.json"
    outside.write_bytes((folder / "state.json").read_bytes())
    (folder / "state.json").unlink()
    with pytest.raises(StoreError, match="no such file"):
        read_learned(folder)
    (folder / "state.json").symlink_to(outside)
    with pytest.raises(StoreError, match="out of the folder"):
        read_learned(folder)
    (folder / "state.json").unlink()
    (folder / "state.json").mkdir()
    with pytest.raises(StoreError, match="no plain file"):
        read_learned(folder)
    with pytest.raises(StoreError):
        read_learned(tmp_path / "nowhere")


def test_too_much_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned_files, "MOST_JSON_BYTES", 100)
    with pytest.raises(StoreError, match="more than 100 bytes"):
        read_learned(folder)
    with pytest.raises(InputError):
        write_learned(folder, STATE)
    monkeypatch.undo()
    monkeypatch.setattr(learned_files, "MOST_ARRAYS", 2)
    with pytest.raises(StoreError, match="6 arrays"):
        read_learned(folder)
    with pytest.raises(InputError, match="6 arrays"):
        write_learned(folder, STATE)
