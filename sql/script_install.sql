-- What CREATE EXTENSION makes, and who may use it.
\getenv setup PG_ABS_SRCDIR
\set setup :setup '/sql/setup/'
\set file :setup 'loopback.psql'
\i :file
-- \dx+ of a PostgreSQL before 17; since then it lists the types of tables, too.
SELECT pg_describe_object(classid, objid, 0) AS "Object description"
  FROM pg_depend
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND classid <> 'pg_type'::regclass
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_copy_incremental')
 ORDER BY 1;
\pset format wrapped
\pset columns 100
\x on
\df copy_incremental*
\x off
\pset format aligned
-- Every function: volatile, parallel unsafe, with the caller's rights, told of NULLs, and described.
SELECT p.proname, p.provolatile, p.proparallel, p.prosecdef, p.proisstrict,
       has_function_privilege('public', p.oid, 'EXECUTE') AS open_to_all
  FROM pg_depend AS d JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_copy_incremental')
 ORDER BY 1;
SELECT d.classid::regclass, count(*), count(obj_description(d.objid, d.classid::regclass::name)) AS described
  FROM pg_depend AS d
 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND d.classid <> 'pg_type'::regclass
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_copy_incremental')
 GROUP BY 1 ORDER BY 1::text;
SELECT attrelid::regclass, attname AS column_without_comment FROM pg_attribute
 WHERE attrelid IN (SELECT oid FROM pg_class WHERE relname LIKE 'copy_incremental%' AND relkind IN ('r', 'v'))
   AND attnum > 0 AND col_description(attrelid, attnum) IS NULL
 ORDER BY attrelid, attnum;
SELECT obj_description(oid, 'pg_extension') FROM pg_extension WHERE extname = 'pg_copy_incremental';
SELECT superuser, trusted, relocatable FROM pg_available_extension_versions
 WHERE name = 'pg_copy_incremental' AND installed;

-- A role may call it once it was granted, and not before.
CREATE ROLE regress_caller;
SET ROLE regress_caller;
SELECT copy_incremental('src', 'SELECT 1 AS id', NULL);
SELECT * FROM copy_incremental_batch_rows() AS batch(id int);
SET copy_incremental.source_row_security = on;
SET copy_incremental.no_such_setting = on;
RESET ROLE;
GRANT EXECUTE ON FUNCTION copy_incremental TO regress_caller;
SET ROLE regress_caller;
SELECT copy_incremental('src', 'SELECT 1 AS id', NULL);
RESET ROLE;
DROP OWNED BY regress_caller;
DROP ROLE regress_caller;

-- It works in whatever schema it was put, on or off the search_path, and goes without a trace.
DROP EXTENSION pg_copy_incremental;
CREATE SCHEMA "Else where";
CREATE EXTENSION pg_copy_incremental SCHEMA "Else where";
CREATE TEMP TABLE numbers (id int);
SELECT "Else where".copy_incremental('src', 'SELECT generate_series(1, 5) AS id', NULL, 2, 'numbers');
SELECT count(*), sum(id) FROM numbers;
ALTER EXTENSION pg_copy_incremental SET SCHEMA public;
DROP EXTENSION pg_copy_incremental;
SELECT count(*) FROM pg_proc WHERE proname LIKE 'copy_incremental%';
DROP SCHEMA "Else where";
CREATE EXTENSION pg_copy_incremental;
