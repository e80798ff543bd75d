"""The resume database of the transfer command, including killed and concurrent commands."""

import sqlite3

import pytest

from airflow_provider_renderbus.farm.transmitter.resume import ResumeDatabase


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.blend"
    path.write_text("scene")
    return path.stat()


def test_mark_sent_survives_killed_command(tmp_path, file):
    killed = ResumeDatabase(tmp_path / "resume.db")
    killed.mark_sent("in/a.blend", file)
    with ResumeDatabase(tmp_path / "resume.db") as next_one:
        assert next_one.is_sent("in/a.blend", file)
        assert not next_one.is_sent("in/b.blend", file)
    killed.__exit__()  # a killed command would not have closed it


def test_resume_database_is_shared_by_two_commands(tmp_path, file):
    with ResumeDatabase(tmp_path / "resume.db") as one, ResumeDatabase(tmp_path / "resume.db") as other:
        one.mark_sent("in/a.blend", file)
        other.mark_sent("in/b.blend", file)
        assert one.is_sent("in/b.blend", file)


def test_mark_sent_broken_database_raises_os_error(tmp_path, file):
    with ResumeDatabase(tmp_path / "resume.db") as resume:
        other = sqlite3.connect(tmp_path / "resume.db")
        other.execute("DROP TABLE sent")
        other.commit()
        other.close()
        with pytest.raises(OSError, match="resume database fails"):
            resume.mark_sent("in/a.blend", file)


def test_resume_database_invalid_file_is_closed(tmp_path, monkeypatch):
    (tmp_path / "resume.db").write_bytes(b"no database at all, but long enough to be read as one" * 20)
    opened, connect = [], sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda *args, **kwargs: opened.append(connect(*args, **kwargs)) or opened[0]
    )
    with pytest.raises(ValueError, match="file is not a database"):
        ResumeDatabase(tmp_path / "resume.db")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")
