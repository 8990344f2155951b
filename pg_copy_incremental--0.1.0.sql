-- The SQL objects of pg_copy_incremental. Facts about behaviour: README.md.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_copy_incremental" to load this file. \quit

CREATE FUNCTION copy_incremental(
    src_conninfo text,
    query_template text,
    day date,
    batch integer DEFAULT 2000,
    target regclass DEFAULT NULL,
    mode text DEFAULT 'append',
    replace_where text DEFAULT NULL,
    key_columns text[] DEFAULT NULL,
    transform text DEFAULT NULL,
    time_zone text DEFAULT NULL,
    on_rerun text DEFAULT 'error',
    method text DEFAULT 'cursor'
) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'copy_incremental';

COMMENT ON FUNCTION copy_incremental(text, text, date, integer, regclass, text, text, text[], text, text, text, text) IS
'copies one day of rows from a source PostgreSQL into a table here, in one transaction; returns the rows written. Errors: 22004, 22008, 22023 bad argument; 42601, 25006 bad query; 42P01, 42P09, 42809, 42501 bad target; 42701, 42804 columns do not match; 2F003, 42501, 42704 credentials; 08001, 08006, 08P01 connection; 55006 called by itself; and those of the source and of the INSERT';

-- Opens connections from this server, so it is granted on purpose.
REVOKE ALL ON FUNCTION copy_incremental(text, text, date, integer, regclass, text, text, text[], text, text, text, text) FROM PUBLIC;

-- Not for users: the INSERT of a run, which has the rights of whoever called copy_incremental, reads its batch from
-- here. Called by anything else it only raises an error, so the right to execute it gives nobody anything.
CREATE FUNCTION copy_incremental_batch_rows() RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 2000
    AS 'MODULE_PATHNAME', 'copy_incremental_batch_rows';

COMMENT ON FUNCTION copy_incremental_batch_rows() IS
'internal: the rows of the batch that a running copy inserts. Errors: 55000 outside of a copy';
