import json
import os
import time
from pathlib import Path

from celery import Celery
from celery.signals import heartbeat_sent

from dashboard.config import BROKER_URL, RESULTS_DIR, TASK_SECONDS
from dashboard.masses import mass
from dashboard.models import Job, Session

app = Celery("dashboard", broker=BROKER_URL)
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_concurrency=2,
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 10},
    beat_schedule={"requeue": {"task": "dashboard.tasks.requeue", "schedule": 5}},
)


@heartbeat_sent.connect
def alive(**_):
    Path("/tmp/worker-alive").touch()


@app.task(autoretry_for=(OSError,), max_retries=5)
def compute(job_id):
    with Session() as session:
        job = session.get(Job, job_id)
        if job is None or job.state == "done":
            return
        time.sleep(TASK_SECONDS)
        job.mass = mass(job.formula)
        RESULTS_DIR.mkdir(exist_ok=True)
        part = RESULTS_DIR / f".{job_id}.{os.getpid()}"
        part.write_text(json.dumps({"id": job_id, "mass": job.mass}))
        part.replace(RESULTS_DIR / f"{job_id}.json")
        job.state = "done"
        session.commit()


@app.task
def requeue():
    """Send jobs again whose message was lost, as when the API was killed between its two writes."""
    with Session() as session:
        late = session.query(Job).filter(Job.state == "queued", Job.created < time.time() - 20).all()
    for job in late:
        compute.delay(job.id)
