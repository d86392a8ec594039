"""Train the recommender and save it to models/.

Usage: python train_model.py [--n-factors 8] [--dry-run]
"""
import argparse
import logging

from config.settings import settings
from src.data_loader import load_ratings
from src.recommender import MovieRecommender

logging.basicConfig(level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
logger = logging.getLogger('train')


def main():
    parser = argparse.ArgumentParser(description='Train the recommender')
    parser.add_argument('--n-factors', type=int, default=settings.n_factors)
    parser.add_argument('--dry-run', action='store_true', help='load the data, train nothing')
    args = parser.parse_args()

    ratings, movies = load_ratings(settings.data_dir)
    logger.info('%d ratings of %d movies', len(ratings), len(movies))
    if args.dry_run:
        return
    model = MovieRecommender(args.n_factors).fit(ratings, movies)
    model.save(settings.model_path)
    logger.info('saved to %s', settings.model_path)


if __name__ == '__main__':
    main()
