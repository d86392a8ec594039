from datetime import datetime, timezone

import joblib
import numpy as np
from sklearn.decomposition import TruncatedSVD

from src.data_loader import to_matrix


class MovieRecommender:
    def __init__(self, n_factors=4):
        self.svd = TruncatedSVD(n_components=n_factors, random_state=42)

    def fit(self, ratings, movies):
        matrix = to_matrix(ratings)
        self.users = {user: i for i, user in enumerate(matrix.index)}
        self.movie_ids = list(matrix.columns)
        self.titles = movies['title'].to_dict()
        self.seen = ratings.groupby('user_id')['movie_id'].agg(set).to_dict()
        factors = self.svd.fit_transform(matrix.to_numpy())
        self.scores = factors @ self.svd.components_
        self.trained_at = datetime.now(timezone.utc).isoformat(timespec='seconds')
        return self

    def recommend(self, user_id, k=5):
        if user_id not in self.users:
            raise KeyError(user_id)
        row = self.scores[self.users[user_id]]
        ranked = [self.movie_ids[i] for i in np.argsort(-row) if self.movie_ids[i] not in self.seen[user_id]]
        return [{'movie_id': int(m), 'title': self.titles[m]} for m in ranked[:k]]

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        joblib.dump(self, path)

    @staticmethod
    def load(path):
        return joblib.load(path)
