"""Notices as JSON lines: each once, whole, whatever happens while they are written."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from forecasting.adapters._notice_text import record
from forecasting.adapters._notifier_parts import Place
from forecasting.adapters._writer_lock import store_lock
from forecasting.adapters.notifiers.json_lines import JsonLines
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.project import NotifierSpec
from forecasting.testing.notifier import HOSTILE, make_notice


def lines(root: Path, path: str = "w/notices.jsonl") -> JsonLines:
    return JsonLines(NotifierSpec(name="file", kind="json_lines", path=path), Place(root=root))


def rows(root: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (root / "w" / "notices.jsonl").read_text("ascii").splitlines()]


def test_a_line_is_a_notice_with_its_whole_warning(tmp_path: Path) -> None:
    over = make_notice(2, NoticeKind.RESOLVED)
    assert lines(tmp_path).send([make_notice(), over]) == {"w1:raised:1", "w2:resolved:1"}
    first, second = rows(tmp_path)
    assert {key: first[key] for key in ("schema_version", "id", "kind", "at", "over", "worst")} == {
        "schema_version": 1, "id": "w1:raised:1", "kind": "raised", "at": "2027-03-01T06:00:00Z", "over": False,
        "worst": None,
    }  # fmt: skip
    assert second["over"] is True
    warning = first["warning"]
    assert isinstance(warning, dict)
    assert (warning["probability"], warning["decide_by"], warning["currency"]) == (0.4, "2027-03-18", "EUR")


def test_names_come_back_as_they_were(tmp_path: Path) -> None:
    lines(tmp_path).send([make_notice(n, service=text) for n, text in enumerate(HOSTILE)])
    assert [row["warning"]["service"] for row in rows(tmp_path)] == list(HOSTILE)  # type: ignore[index]


def test_half_a_line_of_a_killed_run_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "w" / "notices.jsonl"
    lines(tmp_path).send([make_notice(1), make_notice(2)])
    whole = path.read_bytes()
    for cut in (1, 2, 40, len(whole) // 2 - 1):
        path.write_bytes(whole[:-cut])
        assert lines(tmp_path).send([make_notice(1), make_notice(2)]) == {"w1:raised:1", "w2:raised:1"}
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n', "text\n", "[1]\n", '{"id": "x"}\nnot\nhalf', "1\n", "[" * 100_000 + "\n"]
)
def test_a_file_that_is_none_of_ours_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "w" / "notices.jsonl"
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(NotifierError, match=r"w/notices\.jsonl:[12]: .*try: move the file away"):
        lines(tmp_path).send([make_notice()])
    assert path.read_text() == text


def test_what_is_no_file_in_the_workspace_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "w").mkdir(parents=True)
    (tmp_path / "outside.jsonl").touch()
    (root / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (root / "inner.jsonl").symlink_to(root / "w" / "target.jsonl")
    (root / "folder.jsonl").mkdir()
    os.mkfifo(root / "pipe.jsonl")
    for path in ("../outside.jsonl", "link.jsonl", "inner.jsonl", "folder.jsonl", "pipe.jsonl", "/dev/zero"):
        with pytest.raises(NotifierError, match="notifier file"):
            lines(root, path).send([make_notice()])
    assert (tmp_path / "outside.jsonl").read_bytes() == b""
    if os.geteuid() != 0:
        (root / "w").chmod(0o500)
        with pytest.raises(NotifierError, match="Permission denied"):
            lines(root).send([make_notice()])


def append(root: Path, together: Barrier, count: int) -> None:
    """Send the same notices as the other writers, each at the same moment as they do."""
    for number in range(count):
        together.wait(30)
        lines(root).send([make_notice(number)])


def test_writers_at_the_same_time_write_each_notice_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    together = context.Barrier(3)
    writers = [context.Process(target=append, args=(tmp_path, together, 40)) for _ in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    assert [str(row["id"]) for row in rows(tmp_path)] == [f"w{n}:raised:1" for n in range(40)]


def test_a_writer_waits_for_the_one_before_it(tmp_path: Path) -> None:
    lines(tmp_path).send([make_notice(1)])
    second = threading.Thread(target=lambda: lines(tmp_path).send([make_notice(2)]))
    with store_lock(tmp_path / "w" / "notices.jsonl"):
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert len(rows(tmp_path)) == 1
    second.join(10)
    assert len(rows(tmp_path)) == 2


def test_what_was_read_once_is_not_read_again_and_what_others_wrote_is(tmp_path: Path) -> None:
    path, ours = tmp_path / "w" / "notices.jsonl", lines(tmp_path)
    ours.send([make_notice(1), make_notice(2)])
    lines(tmp_path).send([make_notice(3)])
    ours.send([make_notice(3), make_notice(4), make_notice(1)])
    assert [row["id"] for row in rows(tmp_path)] == [f"w{n}:raised:1" for n in (1, 2, 3, 4)]
    with path.open("r+b") as stream:
        stream.write(b"#")  # in the first line, which it has looked at
    assert ours.send([make_notice(5)]) == {"w5:raised:1"}
    with pytest.raises(NotifierError, match="move the file away"):
        lines(tmp_path).send([make_notice(6)])
    path.rename(path.with_suffix(".old"))  # put away: what is in the old file is not in the new one
    ours.send([make_notice(1)])
    assert [row["id"] for row in rows(tmp_path)] == ["w1:raised:1"]
    path.write_text("")
    ours.send([make_notice(1)])
    assert [row["id"] for row in rows(tmp_path)] == ["w1:raised:1"]


def test_a_line_of_another_form_with_an_id_counts(tmp_path: Path) -> None:
    path = tmp_path / "w" / "notices.jsonl"
    path.parent.mkdir()
    path.write_text('{"id": "w1:raised:1", "note": "kept by hand"}\n{ "at": 1, "id":"w\\u0032:raised:1"}\n')
    lines(tmp_path).send([make_notice(1), make_notice(2), make_notice(3)])
    assert [row["id"] for row in rows(tmp_path)] == ["w1:raised:1", "w2:raised:1", "w3:raised:1"]


def write_on_a_full_disk(root: Path) -> None:
    """Where a file may not grow, nothing is taken, and it is not believed to be there afterwards."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    path, ours = root / "w" / "notices.jsonl", lines(root)
    ours.send([make_notice(1)])
    size, (soft, hard) = path.stat().st_size, resource.getrlimit(resource.RLIMIT_FSIZE)
    for room in (0, 10, size - 1):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + room, hard))
        with pytest.raises(NotifierError, match=r"No space|File too large|no space"):
            ours.send([make_notice(2)])
        assert path.stat().st_size == size
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ours.send([make_notice(2)]) == {"w2:raised:1"}
    assert [row["id"] for row in rows(root)] == ["w1:raised:1", "w2:raised:1"]


def test_what_found_no_space_is_written_later(tmp_path: Path) -> None:
    process = multiprocessing.get_context("fork").Process(target=write_on_a_full_disk, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == 0


def test_a_long_file_costs_one_reading_of_half_a_second(tmp_path: Path) -> None:
    """100,000 notices: the first look reads them without parsing, the next ones read nothing of them."""
    path = tmp_path / "w" / "notices.jsonl"
    path.parent.mkdir()
    line = json.dumps(record(make_notice(77)), sort_keys=True)
    with path.open("w") as stream:
        stream.writelines(line.replace("w77:", f"n{n}:", 1) + "\n" for n in range(100_000))
    ours, took = lines(tmp_path), []
    for number in range(3):
        began = time.process_time()
        ours.send([make_notice(number)])
        took.append(time.process_time() - began)
    assert took[0] < 2.0, "parsing every line takes longer"
    assert max(took[1:]) < 0.1
    assert path.read_bytes().count(b"\n") == 100_003


@pytest.mark.nightly
def test_killed_at_any_moment_nothing_that_was_taken_is_lost_and_nothing_is_there_twice(tmp_path: Path) -> None:
    context, rng = multiprocessing.get_context("fork"), random.Random(1)
    told = tmp_path / "told"

    def send(start: int) -> None:
        with told.open("ab", buffering=0) as stream:
            for number in range(start, start + 500):
                for one in lines(tmp_path).send([make_notice(number), make_notice(max(number - 1, 0))]):
                    stream.write(f"{one}\n".encode())

    for turn in range(50):
        writer = context.Process(target=send, args=(turn * 20,))
        writer.start()
        time.sleep(0.02 + 0.06 * rng.random())
        writer.kill()
        writer.join()
    lines(tmp_path).send([make_notice(99_999)])
    found = [str(row["id"]) for row in rows(tmp_path)]
    assert len(found) == len(set(found))
    taken = set(told.read_text().split("\n")[:-1])
    assert len(taken) > 50
    assert taken <= set(found)
