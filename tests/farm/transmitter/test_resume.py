"""The resume database of the transfer command, also when the command is killed or is not alone."""

import sqlite3

import pytest

from airflow_provider_renderbus.farm.transmitter.resume import ResumeDatabase


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.blend"
    path.write_text("scene")
    return path.stat()


def test_a_note_outlives_a_command_that_is_killed(tmp_path, file):
    """A killed command closes nothing."""
    killed = ResumeDatabase(tmp_path / "resume.db")
    killed.mark_sent("in/a.blend", file)
    with ResumeDatabase(tmp_path / "resume.db") as next_one:
        assert next_one.is_sent("in/a.blend", file)
        assert not next_one.is_sent("in/b.blend", file)
    killed.__exit__()


def test_two_commands_share_a_database(tmp_path, file):
    with ResumeDatabase(tmp_path / "resume.db") as one, ResumeDatabase(tmp_path / "resume.db") as other:
        one.mark_sent("in/a.blend", file)
        other.mark_sent("in/b.blend", file)
        assert one.is_sent("in/b.blend", file)


def test_a_database_that_fails_is_told_as_the_files_failure(tmp_path, file):
    with ResumeDatabase(tmp_path / "resume.db") as resume:
        breaker = sqlite3.connect(tmp_path / "resume.db")
        breaker.execute("DROP TABLE sent")
        breaker.commit()
        breaker.close()
        with pytest.raises(OSError, match="resume database fails"):
            resume.mark_sent("in/a.blend", file)


def test_a_database_that_is_none_is_closed_again(tmp_path, monkeypatch):
    (tmp_path / "resume.db").write_bytes(b"no database at all, but long enough to be looked at as one" * 20)
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *how, **more: opened.append(connect(*how, **more)) or opened[0]
    )
    with pytest.raises(ValueError, match="file is not a database"):
        ResumeDatabase(tmp_path / "resume.db")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
