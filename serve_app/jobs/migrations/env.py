"""Run the migrations in the transaction that the caller has begun."""

from alembic import context

from serve_app.jobs.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="jobs_version",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
