import socket
import time

from fastapi import FastAPI, HTTPException
from kombu.exceptions import OperationalError
from pydantic import BaseModel, Field
from sqlalchemy import text

from dashboard.models import Job, Session, counts
from dashboard.tasks import app as celery
from dashboard.tasks import compute

app = FastAPI()


class Order(BaseModel):
    formula: str = Field(pattern="^([A-Z][a-z]?[0-9]{0,3}){1,20}$")


@app.get("/health")
def health():
    return {"host": socket.gethostname()}


@app.get("/ready")
def ready():
    with Session() as session:
        session.execute(text("SELECT 1"))
    with celery.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1)
    return {"ready": True}


@app.put("/jobs/{id}", status_code=202)
def submit(id: str, order: Order):
    with Session() as session:
        if session.get(Job, id) is None:
            session.add(Job(id=id, formula=order.formula, created=time.time()))
            session.commit()
    try:
        compute.delay(id)
    except OperationalError:
        pass  # beat sends it again
    return {"id": id}


@app.get("/jobs/{id}")
def job(id: str):
    with Session() as session:
        found = session.get(Job, id)
    if found is None:
        raise HTTPException(404)
    return {"id": found.id, "state": found.state, "mass": found.mass}


@app.get("/counts")
def by_state():
    return counts()
