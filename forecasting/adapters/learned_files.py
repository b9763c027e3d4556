"""What was learnt across series as a folder of two plain files: `state.json` and `arrays.npz`, no pickle anywhere.

The JSON names every array with its type and shape and holds the SHA-256 of the arrays' file and of its own content, so
that damage is found before anything is used. The same state gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import re
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from forecasting.adapters._atomic import publish
from forecasting.terms.errors import InputError, StoreError
from forecasting.terms.learned import Learned

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT, VERSION = "forecasting-learned", 1
STATE_FILE, ARRAYS_FILE = "state.json", "arrays.npz"
MOST_JSON_BYTES = 32 * 2**20
MOST_ARRAY_BYTES = 2 * 2**30
"""Of all arrays together."""
MOST_ARRAYS = 20_000
MOST_DEPTH = 32
"""Lists and mappings inside each other in the JSON."""
_NAME = re.compile(r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*")
_LONGEST_NAME = 200
_TYPES = ("|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8")
_KEYS = {"format", "version", "meta", "arrays", "arrays_sha256", "sha256"}
_MOST_HEADER = 4096
_MOST_DIMENSIONS = 8


def write_learned(folder: Path, learned: Learned) -> Path:
    """Write a state into a folder and return the folder; the same state again writes the same bytes.

    Parameters
    ----------
    folder : Path
        Made if missing; an older state in it is replaced, the JSON last.
    learned : Learned

    Raises
    ------
    InputError
        For a meta value that is not plain JSON (a number that is not finite, a key that is no text), an array name or
        type that is not allowed, or too much of anything.
    StoreError
        Where the files cannot be written.

    Examples
    --------
    >>> state = Learned(meta={"version": 1}, arrays={"tree/0": np.arange(3.0)})
    >>> place = write_learned(Path(tempfile.mkdtemp()), state)
    >>> sorted(path.name for path in place.iterdir()), read_learned(place).arrays["tree/0"]
    (['arrays.npz', 'state.json'], array([0., 1., 2.]))
    """
    _check_plain(learned.meta, "meta", 1)
    arrays = {name: _checked(name, array) for name, array in sorted(learned.arrays.items())}
    total = sum(array.nbytes for array in arrays.values())
    if len(arrays) > MOST_ARRAYS or total > MOST_ARRAY_BYTES:
        raise InputError(
            argument="arrays",
            came=f"{len(arrays)} arrays of {total} bytes",
            allowed=f"{MOST_ARRAYS} arrays, {MOST_ARRAY_BYTES} bytes",
            try_instead="learn on fewer series",
        )
    packed = _packed(arrays)
    document: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "meta": learned.meta,
        "arrays": {name: {"dtype": a.dtype.str, "shape": list(a.shape)} for name, a in arrays.items()},
        "arrays_sha256": hashlib.sha256(packed).hexdigest(),
    }
    document["sha256"] = _digest(document)
    text = (json.dumps(document, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()
    if len(text) > MOST_JSON_BYTES:
        raise InputError(
            argument="meta", came=f"{len(text)} bytes", allowed=f"{MOST_JSON_BYTES}", try_instead="numbers as arrays"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in ((ARRAYS_FILE, packed), (STATE_FILE, text)):
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=f".{name}.", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as stream:
                os.fchmod(descriptor, 0o644)
                stream.write(content)
            publish(Path(draft), folder / name)
        finally:
            Path(draft).unlink(missing_ok=True)
    return folder


def read_learned(folder: Path) -> Learned:
    """Return the state in a folder, after every check; arrays are read-only.

    Raises
    ------
    StoreError
        For a file that is missing, damaged, of another version, too large, a link out of the folder, or not exactly
        what the JSON says.

    Examples
    --------
    >>> read_learned(Path(tempfile.mkdtemp()))
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.StoreError: state.json: learned state: got 'no such file'; allowed: ...
    """
    document = _document(_bytes(folder, STATE_FILE, MOST_JSON_BYTES))
    packed = _bytes(folder, ARRAYS_FILE, MOST_ARRAY_BYTES + MOST_ARRAYS * 1024)
    if hashlib.sha256(packed).hexdigest() != document["arrays_sha256"]:
        _damaged(ARRAYS_FILE, "another SHA-256 than state.json says")
    meta, declared = document["meta"], document["arrays"]
    assert isinstance(meta, dict), "checked in _document"
    assert isinstance(declared, dict), "checked in _document"
    return Learned(meta=meta, arrays=_unpacked(packed, declared))


def _check_plain(value: object, where: str, depth: int) -> None:
    """Refuse what JSON would not bring back as it is."""
    if depth > MOST_DEPTH:
        wrong = f"more than {MOST_DEPTH} levels"
    elif value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return
    elif isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            for key, inner in value.items():
                _check_plain(inner, f"{where}.{key}", depth + 1)
            return
        wrong = "a key that is no text"
    elif isinstance(value, (list, tuple)):
        for inner in value:
            _check_plain(inner, f"{where}[]", depth + 1)
        return
    else:
        wrong = f"{type(value).__name__} {value!r}"
    raise InputError(
        argument=where[:200],
        came=wrong,
        allowed="text, finite numbers, true, false, null, lists and mappings of these",
        try_instead="numbers by the thousand as an array",
    )


def _checked(name: str, array: NDArray[np.generic]) -> NDArray[np.generic]:
    """An array as it is written: little-endian, C order."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise InputError(
            argument="array name",
            came=name,
            allowed=f"letters, digits, _ and / between them, at most {_LONGEST_NAME}",
            try_instead="hour/trees_0",
        )
    ordered = np.ascontiguousarray(array).reshape(np.shape(array))
    plain = ordered.astype(ordered.dtype.newbyteorder("<")) if ordered.dtype.byteorder == ">" else ordered
    if plain.dtype.str not in _TYPES or plain.ndim > _MOST_DIMENSIONS:
        raise InputError(
            argument=f"array {name}",
            came=f"{plain.dtype} with {plain.ndim} dimensions",
            allowed=f"integers, floats of at most 64 bits or booleans, {_MOST_DIMENSIONS} dimensions at most",
            try_instead="text goes into meta",
        )
    return plain


def _packed(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """An npz file, not compressed, whose bytes depend on nothing but the arrays."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def _digest(document: Mapping[str, object]) -> str:
    """SHA-256 of the document without its own hash."""
    body = {key: value for key, value in document.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _damaged(file: str, came: str) -> NoReturn:
    """Say what is wrong with a file."""
    raise StoreError(
        argument="learned state",
        came=came,
        allowed=f"{STATE_FILE} and {ARRAYS_FILE} as they were written, version {VERSION}",
        try_instead="fetch the model again, or learn anew: forecasting models log",
        file=file,
    )


def _bytes(folder: Path, name: str, most: int) -> bytes:
    """The content of a file that really lies in the folder."""
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            _damaged(name, "a link that leads out of the folder")
        if not path.is_file():
            _damaged(name, "no such file" if not path.exists() else "no plain file")
        with path.open("rb") as stream:
            content = stream.read(most + 1)
    except OSError as error:
        _damaged(name, error.strerror or type(error).__name__)
    if len(content) > most:
        _damaged(name, f"more than {most} bytes")
    return content


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A mapping whose keys came once each."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _document(content: bytes) -> dict[str, object]:
    """The JSON, checked but for the arrays."""
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        if not isinstance(document, dict):
            _damaged(STATE_FILE, f"JSON that is a {type(document).__name__}")
        if document.get("format") != FORMAT or document.get("version") != VERSION:
            _damaged(STATE_FILE, f"format {document.get('format')!r}, version {document.get('version')!r}")
        if set(document) != _KEYS or not isinstance(document["meta"], dict) or not isinstance(document["arrays"], dict):
            _damaged(STATE_FILE, f"the keys {', '.join(sorted(document))}")
        digest = _digest(document)
        _check_plain(document["meta"], "meta", 1)
    except (ValueError, RecursionError, InputError) as error:
        # UnicodeDecodeError and JSONDecodeError are ValueErrors; so is an integer of too many digits.
        _damaged(STATE_FILE, f"no JSON of ours ({str(error)[:100]})")
    if document["sha256"] != digest:
        _damaged(STATE_FILE, "another SHA-256 of its content than it says itself")
    return document


def _unpacked(packed: bytes, declared: Mapping[str, object]) -> dict[str, NDArray[np.generic]]:
    """Every array, after the archive turned out to be exactly what was declared."""
    if len(declared) > MOST_ARRAYS:
        _damaged(STATE_FILE, f"{len(declared)} arrays")
    shapes = {name: _declared(name, one) for name, one in declared.items()}
    try:
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            members = archive.infolist()
            if sorted(m.filename for m in members) != sorted(f"{name}.npy" for name in shapes):
                _damaged(ARRAYS_FILE, "other members than state.json names")
            if any(m.compress_type != zipfile.ZIP_STORED or m.compress_size != m.file_size for m in members):
                _damaged(ARRAYS_FILE, "a compressed member")
            if sum(m.file_size for m in members) > len(packed):
                _damaged(ARRAYS_FILE, "members larger than the file")
            return {
                m.filename.removesuffix(".npy"): _array(archive.read(m), *shapes[m.filename.removesuffix(".npy")])
                for m in members
            }
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError, OverflowError) as error:
        # RuntimeError: a member that says it is encrypted; NotImplementedError: an unknown compression.
        _damaged(ARRAYS_FILE, f"{type(error).__name__}: {str(error)[:100]}")


def _declared(name: str, one: object) -> tuple[str, tuple[int, ...]]:
    """Type and shape of an array as the JSON has them."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME or not isinstance(one, dict):
        _damaged(STATE_FILE, f"an array called {name[:80]!r}")
    kind, shape = one.get("dtype"), one.get("shape")
    if set(one) != {"dtype", "shape"} or kind not in _TYPES or not isinstance(shape, list):
        _damaged(STATE_FILE, f"array {name[:80]} with {str(one)[:80]}")
    if len(shape) > _MOST_DIMENSIONS or not all(type(n) is int and 0 <= n <= MOST_ARRAY_BYTES for n in shape):
        _damaged(STATE_FILE, f"array {name[:80]} with shape {str(shape)[:80]}")
    assert isinstance(kind, str), "one of the known types"
    return kind, tuple(shape)


def _array(content: bytes, kind: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    """One array from its npy bytes; the header must say what was declared."""
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        _damaged(ARRAYS_FILE, "another version of npy")
    found, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_MOST_HEADER)
    if found != shape or fortran or dtype.str != kind:
        _damaged(ARRAYS_FILE, f"an array of {dtype} {found} where {kind} {shape} was declared")
    data = content[stream.tell() :]
    if len(data) != math.prod(shape) * dtype.itemsize:
        _damaged(ARRAYS_FILE, f"{len(data)} bytes for an array of {dtype} {shape}")
    return np.frombuffer(data, dtype=dtype).reshape(shape)
