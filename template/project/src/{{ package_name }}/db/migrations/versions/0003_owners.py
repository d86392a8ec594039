"""Give jobs an owner, and create the table of the owners of files. What exists belongs to the owner "default"."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Upgrade to this revision."""
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("owner", sa.String(64), nullable=False, server_default="default"))
        jobs.add_column(sa.Column("is_admin", sa.Boolean, nullable=False, server_default=sa.false()))
        jobs.drop_constraint("uq_jobs_key", type_="unique")
        jobs.create_unique_constraint("uq_jobs_owner", ["owner", "key"])
    op.create_table(
        "stored_files",
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("path", name="pk_stored_files"),
    )
    op.create_index("ix_stored_files_owner", "stored_files", ["owner", "path"])


def downgrade() -> None:
    """Downgrade from this revision. Of two jobs with the same key, one keeps it: that of "default", if it has one."""
    op.drop_table("stored_files")
    op.execute(
        "UPDATE jobs SET key = NULL WHERE key IS NOT NULL AND EXISTS (SELECT 1 FROM jobs AS other"
        " WHERE other.key = jobs.key AND other.id <> jobs.id AND (other.owner = 'default'"
        " OR (jobs.owner <> 'default' AND other.id < jobs.id)))"
    )
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_constraint("uq_jobs_owner", type_="unique")
        jobs.create_unique_constraint("uq_jobs_key", ["key"])
        jobs.drop_column("is_admin")
        jobs.drop_column("owner")
