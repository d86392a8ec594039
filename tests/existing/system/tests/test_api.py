import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine

from dashboard import main, models, tasks
from dashboard.masses import mass


@pytest.fixture
def client(tmp_path, monkeypatch):
    engine = create_engine(f"sqlite:///{tmp_path}/test.db")
    models.Base.metadata.create_all(engine)
    models.Session.configure(bind=engine)
    monkeypatch.setattr(tasks, "RESULTS_DIR", tmp_path / "results")
    tasks.app.conf.task_always_eager = True
    yield TestClient(main.app)
    models.Session.configure(bind=models.engine)


def test_mass():
    assert mass("C2H6O") == 46.069


def test_a_job_is_computed(client, tmp_path):
    assert client.put("/jobs/ethanol", json={"formula": "C2H6O"}).status_code == 202
    assert client.get("/jobs/ethanol").json() == {"id": "ethanol", "state": "done", "mass": 46.069}
    assert (tmp_path / "results/ethanol.json").exists()


def test_unknown_jobs(client):
    assert client.get("/jobs/none").status_code == 404
