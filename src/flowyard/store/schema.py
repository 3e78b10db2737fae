"""The tables, and how a database of an older version becomes one of this version.

A migration is never changed once it was released; a change of the tables is a new one at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from flowyard.errors import StoreError
from flowyard.store.database import Database, Session

__all__ = ["MIGRATIONS", "migrate", "schema_version"]

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        """CREATE TABLE flowyard_runs (
            name {text} PRIMARY KEY,
            home {text} NOT NULL,
            status {text} NOT NULL,
            role {text} NOT NULL,
            flow {text} NOT NULL,
            flow_folder {text} NOT NULL,
            flow_folder_name {text} NOT NULL,
            flow_stem {text} NOT NULL,
            base_run {text},
            created {text} NOT NULL,
            archived INTEGER NOT NULL,
            record {text} NOT NULL
        )""",
        "CREATE INDEX flowyard_runs_by_time ON flowyard_runs (created DESC, name)",
        "CREATE INDEX flowyard_runs_by_status ON flowyard_runs (status)",
        """CREATE TABLE flowyard_run_tags (
            run {text} NOT NULL,
            tag {text} NOT NULL,
            value {text} NOT NULL,
            PRIMARY KEY (run, tag)
        )""",
        """CREATE TABLE flowyard_homes (
            home {text} PRIMARY KEY,
            left_out {text} NOT NULL
        )""",
    ),
    (
        """CREATE TABLE flowyard_registry_versions (
            kind {text} NOT NULL,
            name {text} NOT NULL,
            version INTEGER NOT NULL,
            digest {text} NOT NULL,
            description {text} NOT NULL,
            created {text} NOT NULL,
            content {text} NOT NULL,
            PRIMARY KEY (kind, name, version),
            UNIQUE (kind, name, digest)
        )""",
        """CREATE TABLE flowyard_registry_aliases (
            kind {text} NOT NULL,
            name {text} NOT NULL,
            number INTEGER NOT NULL,
            alias {text} NOT NULL,
            version INTEGER,
            changed_by {text} NOT NULL,
            reason {text} NOT NULL,
            changed {text} NOT NULL,
            PRIMARY KEY (kind, name, number)
        )""",
        """CREATE TABLE flowyard_registry_facts (
            kind {text} NOT NULL,
            name {text} NOT NULL,
            version INTEGER NOT NULL,
            number INTEGER NOT NULL,
            fact {text} NOT NULL,
            value {text} NOT NULL,
            noted_by {text} NOT NULL,
            noted {text} NOT NULL,
            PRIMARY KEY (kind, name, version, number)
        )""",
    ),
    (
        """CREATE TABLE flowyard_approval_ledger (
            seq INTEGER PRIMARY KEY,
            at {text} NOT NULL,
            kind {text} NOT NULL,
            body {text} NOT NULL,
            previous {text} NOT NULL,
            hash {text} NOT NULL,
            sealed_by {text} NOT NULL,
            seal {text} NOT NULL
        )""",
    ),
    (
        """CREATE TABLE flowyard_production_exchanges (
            id {text} PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            flow {text} NOT NULL,
            version {text} NOT NULL,
            request_id {text} NOT NULL,
            trace_id {text} NOT NULL,
            span_id {text} NOT NULL,
            status BIGINT NOT NULL,
            failed INTEGER NOT NULL,
            latency_s DOUBLE PRECISION NOT NULL,
            first_piece_s DOUBLE PRECISION,
            prompt_tokens BIGINT NOT NULL,
            completion_tokens BIGINT NOT NULL,
            cost_usd DOUBLE PRECISION NOT NULL,
            record {text} NOT NULL
        )""",
        "CREATE INDEX flowyard_production_exchanges_by_time ON flowyard_production_exchanges (flow, at_ms, id)",
        "CREATE INDEX flowyard_production_exchanges_by_trace ON flowyard_production_exchanges (trace_id, at_ms)",
        "CREATE INDEX flowyard_production_exchanges_by_request ON flowyard_production_exchanges (request_id, at_ms)",
        """CREATE TABLE flowyard_production_feedback (
            id {text} PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            flow {text} NOT NULL,
            version {text} NOT NULL,
            request_id {text} NOT NULL,
            trace_id {text} NOT NULL,
            span_id {text} NOT NULL,
            positive INTEGER,
            score DOUBLE PRECISION,
            record {text} NOT NULL
        )""",
        "CREATE INDEX flowyard_production_feedback_by_time ON flowyard_production_feedback (at_ms)",
        "CREATE INDEX flowyard_production_feedback_by_trace ON flowyard_production_feedback (trace_id)",
        "CREATE INDEX flowyard_production_feedback_by_request ON flowyard_production_feedback (request_id)",
        """CREATE TABLE flowyard_production_exposures (
            id {text} PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            experiment {text} NOT NULL,
            unit {text} NOT NULL,
            arm {text} NOT NULL,
            version {text} NOT NULL,
            epoch BIGINT NOT NULL,
            request_id {text} NOT NULL,
            trace_id {text} NOT NULL,
            status BIGINT NOT NULL,
            failed INTEGER NOT NULL,
            latency_s DOUBLE PRECISION,
            mirror INTEGER NOT NULL,
            chosen_by {text} NOT NULL,
            record {text} NOT NULL
        )""",
        "CREATE INDEX flowyard_production_exposures_by_time ON flowyard_production_exposures (experiment, at_ms)",
        "CREATE INDEX flowyard_production_exposures_by_trace ON flowyard_production_exposures (trace_id, at_ms)",
        "CREATE INDEX flowyard_production_exposures_by_request ON flowyard_production_exposures (request_id, at_ms)",
        """CREATE TABLE flowyard_production_files (
            head {text} PRIMARY KEY,
            place {text} NOT NULL,
            bytes BIGINT NOT NULL,
            lines BIGINT NOT NULL,
            tail {text} NOT NULL
        )""",
    ),
    (
        """CREATE TABLE flowyard_production_judgements (
            id {text} PRIMARY KEY,
            at_ms BIGINT NOT NULL,
            exchange {text} NOT NULL,
            flow {text} NOT NULL,
            version {text} NOT NULL,
            request_id {text} NOT NULL,
            evaluator {text} NOT NULL,
            digest {text} NOT NULL,
            judged_ms BIGINT NOT NULL,
            drawn INTEGER NOT NULL,
            failed INTEGER NOT NULL,
            attempts BIGINT NOT NULL,
            calls BIGINT NOT NULL,
            cost_usd DOUBLE PRECISION NOT NULL,
            simulated INTEGER NOT NULL,
            record {text} NOT NULL
        )""",
        "CREATE INDEX flowyard_production_judgements_by_exchange ON flowyard_production_judgements (exchange)",
        "CREATE INDEX flowyard_production_judgements_by_time ON flowyard_production_judgements (flow, at_ms)",
        "CREATE INDEX flowyard_production_judgements_by_judging ON flowyard_production_judgements "
        "(flow, evaluator, judged_ms)",
    ),
    (
        "ALTER TABLE flowyard_production_exposures ADD COLUMN assigned {text} NOT NULL DEFAULT ''",
        "ALTER TABLE flowyard_production_exposures ADD COLUMN assigned_version {text} NOT NULL DEFAULT ''",
        "UPDATE flowyard_production_exposures SET assigned = arm, assigned_version = version",
        *(
            f"CREATE INDEX flowyard_production_{table}_by_trace_and_{key} "
            f"ON flowyard_production_{table} (trace_id, {key}_id, at_ms, id)"
            for table, key in (("exchanges", "span"), ("exchanges", "request"), ("exposures", "request"))
        ),
    ),
    (
        """CREATE TABLE flowyard_alerts (
            flow {text} NOT NULL,
            rule {text} NOT NULL,
            grouped {text} NOT NULL,
            state {text} NOT NULL,
            since_ms BIGINT NOT NULL,
            episode BIGINT NOT NULL,
            told INTEGER NOT NULL,
            told_ms BIGINT,
            value DOUBLE PRECISION,
            detail {text} NOT NULL,
            PRIMARY KEY (flow, rule, grouped)
        )""",
        """CREATE TABLE flowyard_alert_messages (
            id {text} PRIMARY KEY,
            flow {text} NOT NULL,
            target {text} NOT NULL,
            at_ms BIGINT NOT NULL,
            notice {text} NOT NULL,
            ended {text} NOT NULL,
            ended_ms BIGINT
        )""",
        "CREATE INDEX flowyard_alert_messages_waiting ON flowyard_alert_messages (flow, ended, at_ms)",
    ),
)
"""Statement by statement: what makes each version out of the one before it. Versions count from 1."""


def schema_version(session: Session, database: Database) -> int:
    """The version of the tables; 0 when there are none."""
    if not session.execute(database.schema_exists).fetchall():
        return 0
    return max(int(version) for (version,) in session.execute("SELECT version FROM flowyard_schema").fetchall())


def migrate(session: Session, database: Database, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> int:
    """Bring the tables to this version, in a transaction that has claimed them; returns how many versions were made.

    Raises StoreError when they are of a newer version than this code knows.
    """
    version = schema_version(session, database)
    if version > len(migrations):
        raise StoreError(
            f"The store {database.label} was written by a newer flowyard: its tables have version {version}, and this "
            f"flowyard knows version {len(migrations)}.",
            hint="Upgrade: pip install --upgrade flowyard",
        )
    if version == 0:
        session.execute("CREATE TABLE flowyard_schema (version INTEGER PRIMARY KEY)")
    for number, statements in enumerate(migrations[version:], version + 1):
        for statement in statements:
            session.execute(statement.format(text=database.text_type))
        session.execute("INSERT INTO flowyard_schema (version) VALUES (?)", (number,))
    return len(migrations) - version
