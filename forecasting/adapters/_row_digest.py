"""Identity of metric rows that does not depend on their order, nor on how they were cut into chunks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_LANES = 2
_ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_NAN = np.float64(np.nan).view(np.uint64)


class RowDigest:
    """Sums a 128-bit mix of every row, so that parts can be added in any order; SHA-256 closes the sum.

    It finds what changed by accident or was edited by hand. It is no signature: who knows the method can make other
    rows with the same sum. The mix is that of SplitMix64 (Steele, Lea and Flood 2014).

    Examples
    --------
    >>> import numpy as np
    >>> whole, parts, keys = RowDigest(), RowDigest(), series_keys([("shop", "orders")])
    >>> code, at, value = np.zeros(2, dtype=np.int32), np.array([10, 20]), np.array([1.0, 2.0])
    >>> whole.add(keys, code, at, value)
    >>> for part in (slice(1, 2), slice(0, 1)):
    ...     parts.add(keys, code[part], at[part], value[part])
    >>> whole.hexdigest() == parts.hexdigest()
    True
    """

    def __init__(self) -> None:
        self.count, self.sums = 0, [0] * _LANES

    def add(
        self, keys: NDArray[np.uint64], codes: NDArray[np.int32], at: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        """Add rows: keys of the series (see `series_keys`), and for each row its series, microseconds and value."""
        self.count += len(codes)
        for lane, mixed in enumerate(mixed_rows(keys, codes, at, values)):
            self.sums[lane] = (self.sums[lane] + int(mixed.sum(dtype=np.uint64))) % 2**64

    def add_sums(self, count: int, sums: Sequence[int]) -> None:
        """Add rows that are summed up already."""
        self.count += count
        self.sums = [(old + int(new)) % 2**64 for old, new in zip(self.sums, sums, strict=True)]

    def hexdigest(self) -> str:
        """Return the identity of all rows added so far."""
        words = [self.count, *self.sums]
        return hashlib.sha256(b"metric rows 2\n" + b"".join(word.to_bytes(8, "little") for word in words)).hexdigest()


def series_keys(names: Sequence[tuple[str, str]]) -> NDArray[np.uint64]:
    """Return two numbers for each (service, metric), shape (n, 2), that depend on the names only."""
    found = bytearray()
    for service, metric in names:
        texts = (service.encode("utf-8", "surrogatepass"), metric.encode("utf-8", "surrogatepass"))
        content = b"".join(len(text).to_bytes(4, "little") + text for text in texts)
        found += hashlib.sha256(content).digest()[: 8 * _LANES]
    return np.frombuffer(bytes(found), dtype="<u8").reshape(len(names), _LANES)


def mixed_rows(
    keys: NDArray[np.uint64], codes: NDArray[np.int32], at: NDArray[np.int64], values: NDArray[np.float64]
) -> list[NDArray[np.uint64]]:
    """Return one number a row for each lane."""
    # Adding 0.0 makes -0.0 a 0.0; every NaN is the same NaN.
    bits = np.where(np.isnan(values), _NAN, (values + 0.0).view(np.uint64))
    instants = at.view(np.uint64)
    mixed = []
    for lane in range(_LANES):
        word = keys[:, lane][codes]
        word += instants * _ODD[lane]
        _mix(word)
        word ^= bits
        word *= _ODD[1 - lane]
        _mix(word)
        mixed.append(word)
    return mixed


def _mix(word: NDArray[np.uint64]) -> None:
    """Spread every bit of each word over all of it, in place."""
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        word ^= word >> np.uint64(shift)
        word *= factor
    word ^= word >> np.uint64(31)


def rows_sha256(rows: pd.DataFrame) -> str:
    """Return the identity of canonical rows: the same whatever their order.

    Parameters
    ----------
    rows : DataFrame
        service, metric, at (naive UTC), value.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"service": ["b", "a"], "metric": ["m", "m"], "value": [1.0, 2.0],
    ...                      "at": pd.to_datetime(["2027-01-01", "2027-01-01"]).astype("datetime64[us]")})
    >>> rows_sha256(rows) == rows_sha256(rows[::-1])
    True
    """
    import pandas as pd

    services, service_names = pd.factorize(rows["service"])
    metrics, metric_names = pd.factorize(rows["metric"])
    width = max(len(metric_names), 1)
    pairs, codes = np.unique(services.astype(np.int64) * width + metrics, return_inverse=True)
    digest = RowDigest()
    digest.add(
        series_keys([(str(service_names[pair // width]), str(metric_names[pair % width])) for pair in pairs.tolist()]),
        codes.astype(np.int32),
        rows["at"].to_numpy().astype("datetime64[us]").astype(np.int64),
        rows["value"].to_numpy(dtype=np.float64),
    )
    return digest.hexdigest()
