from fastapi import FastAPI, File, HTTPException, UploadFile
from fastapi.middleware.cors import CORSMiddleware

from app.config import ALLOWED_ORIGINS, MAX_UPLOAD
from app.services.advice import advice_for
from app.services.diagnosis import Diagnosis, NotAnImage

app = FastAPI(title="leafline API")
app.add_middleware(CORSMiddleware, allow_origins=ALLOWED_ORIGINS, allow_methods=["*"], allow_headers=["*"])

diagnosis = Diagnosis()


@app.get("/api/crops")
def crops():
    return {"crops": diagnosis.crops}


@app.post("/api/diagnose")
def diagnose(photo: UploadFile = File(...)):
    content = photo.file.read(MAX_UPLOAD + 1)
    if len(content) > MAX_UPLOAD:
        raise HTTPException(413, "The photo is too large")
    try:
        label, confidence = diagnosis.of(content)
    except NotAnImage:
        raise HTTPException(415, "Not a photo")
    return {"label": label, "confidence": confidence, "advice": advice_for(label)}
