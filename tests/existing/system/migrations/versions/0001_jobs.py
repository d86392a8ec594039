import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.create_table(
        "jobs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("formula", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("mass", sa.Float),
        sa.Column("created", sa.Float, nullable=False),
    )


def downgrade():
    op.drop_table("jobs")
