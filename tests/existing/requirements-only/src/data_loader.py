import pandas as pd


def load_ratings(data_dir):
    ratings = pd.read_csv(data_dir / 'ratings.csv')
    movies = pd.read_csv(data_dir / 'movies.csv', index_col='movie_id')
    unknown = set(ratings['movie_id']) - set(movies.index)
    if unknown:
        raise ValueError(f'ratings of unknown movies: {sorted(unknown)}')
    return ratings, movies


def to_matrix(ratings):
    """users x movies, centred on each user's mean, 0 where there is no rating"""
    table = ratings.pivot_table(index='user_id', columns='movie_id', values='rating')
    return table.sub(table.mean(axis=1), axis=0).fillna(0.0)
