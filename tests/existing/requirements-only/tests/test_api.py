from fastapi.testclient import TestClient

import train_model
from api.main import app


def test_degraded_without_a_model(model_dir):
    with TestClient(app) as client:
        assert client.get('/health').json()['status'] == 'degraded'
        assert client.get('/recommendations/1').status_code == 503


def test_recommendations(model_dir, monkeypatch):
    monkeypatch.setattr('sys.argv', ['train_model.py'])
    train_model.main()
    with TestClient(app) as client:
        assert client.get('/health').json()['model_loaded'] is True
        answer = client.get('/recommendations/1?k=3')
        assert answer.status_code == 200
        assert len(answer.json()) == 3
        assert client.get('/recommendations/999').status_code == 404
