import logging
import os
from contextlib import asynccontextmanager
from importlib import resources

import torch
from fastapi import FastAPI, HTTPException, Response
from pydantic import BaseModel, Field

from moldash import __version__
from moldash.featurize import BadSmiles, featurize
from moldash.model import SolubilityNet

log = logging.getLogger("moldash")


class Query(BaseModel):
    smiles: list[str] = Field(min_length=1, max_length=64)


def create_app() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI):
        torch.manual_seed(int(os.environ.get("MOLDASH_SEED", "7")))
        app.state.model = SolubilityNet().eval()
        log.info("model loaded")
        yield
        app.state.model = None

    app = FastAPI(title="moldash", version=__version__, lifespan=lifespan)

    @app.get("/healthz")
    def healthz(response: Response):
        if getattr(app.state, "model", None) is None:
            response.status_code = 503
            return {"ok": False}
        return {"ok": True, "version": __version__}

    @app.get("/about")
    def about():
        text = (resources.files("moldash") / "static" / "about.txt").read_text()
        return Response(text, media_type="text/plain")

    @app.post("/v1/solubility")
    def solubility(query: Query):
        try:
            features = torch.stack([featurize(each) for each in query.smiles])
        except BadSmiles as e:
            raise HTTPException(422, str(e)) from e
        with torch.inference_mode():
            values = app.state.model(features).squeeze(-1)
        return {"log_s": [round(value, 4) for value in values.tolist()]}

    return app
