from config.settings import settings
from src.data_loader import load_ratings, to_matrix
from src.recommender import MovieRecommender


def test_matrix_is_centred():
    ratings, _ = load_ratings(settings.data_dir)
    assert abs(to_matrix(ratings).to_numpy().sum()) < 1e-6


def test_nothing_seen_is_recommended(tmp_path):
    ratings, movies = load_ratings(settings.data_dir)
    MovieRecommender().fit(ratings, movies).save(tmp_path / 'm.joblib')
    model = MovieRecommender.load(tmp_path / 'm.joblib')
    for user in ratings['user_id'].unique():
        seen = set(ratings.loc[ratings['user_id'] == user, 'movie_id'])
        assert not seen & {each['movie_id'] for each in model.recommend(user)}
