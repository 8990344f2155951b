-- Every argument: what it may not be. All of it is refused before anything connects, so there is no source here.
\set ECHO none
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pg_copy_incremental;
RESET client_min_messages;
\getenv setup PG_ABS_SRCDIR
\set file :setup '/sql/setup/outcome.psql'
\i :file
SET timezone = 'America/New_York';
CREATE TEMP TABLE target (id int);
CREATE FUNCTION pg_temp.try(arguments text) RETURNS text LANGUAGE sql AS
  $$ SELECT arguments || E'\n' || pg_temp.outcome('SELECT copy_incremental(' || arguments || ')') $$;

-- NULL, where it has no meaning.
SELECT pg_temp.try(arguments) FROM unnest(ARRAY[
  $$NULL, 'SELECT 1', '2018-07-29', 2000$$,
  $$'x', NULL, '2018-07-29', 2000$$,
  $$'x', 'SELECT 1', '2018-07-29', mode => NULL$$,
  $$'x', 'SELECT 1', '2018-07-29', on_rerun => NULL$$,
  $$'x', 'SELECT 1', '2018-07-29', method => NULL$$]) AS arguments;

-- The number of rows of a batch.
SELECT pg_temp.try($$'x', 'SELECT 1', NULL, $$ || batch) FROM unnest('{0,-1,-2147483648,1000001,2147483647}'::int[]) AS batch;

-- Words that are not known, and words that are known but do nothing yet.
SELECT pg_temp.try($$'x', 'SELECT 1', NULL, $$ || argument) FROM unnest(ARRAY[
  $$mode => 'merge'$$, $$mode => 'APPEND'$$, $$mode => ''$$,
  $$mode => 'skip'$$, $$mode => 'upsert'$$, $$mode => 'replace'$$,
  $$on_rerun => 'ignore'$$, $$on_rerun => 'skip'$$, $$on_rerun => 'run'$$,
  $$method => 'insert'$$, $$method => 'copy'$$, $$method => 'copy', mode => 'skip'$$,
  $$method => 'copy', transform => 'SELECT * FROM batch'$$,
  $$replace_where => 'true'$$, $$key_columns => '{id}'$$, $$transform => 'SELECT * FROM batch'$$]) AS argument;

-- The time zone.
SELECT pg_temp.try($$'x', 'SELECT ''{day}''', '2018-07-29', time_zone => $$ || quote_literal(zone))
  FROM unnest(ARRAY['Mars/Olympus', '', 'America/New_York; DROP TABLE target', '../../etc/passwd', '+99:99', 'right/UTC']) AS zone;

-- The day: finite, of our era, and not beyond what timestamptz holds. The last lines are fine up to the source.
SELECT pg_temp.try($$'x', 'SELECT ''{day}''', '$$ || day || $$', target => 'target'$$) FROM unnest(ARRAY[
  'infinity', '-infinity', '0044-03-15 BC', '4714-11-24 BC', '294276-12-30', '294277-01-01', '5874897-12-31',
  '0001-01-01', '294276-12-29']) AS day;
SELECT pg_temp.try($$'x', 'SELECT ''{day}''', 'yesterdayish'$$);

-- The target.
SELECT pg_temp.try($$'x', 'SELECT 1', NULL, target => $$ || target)
  FROM unnest(ARRAY[$$'no_such_table'$$, '4294967295', $$''$$]) AS target;

-- The source: no server of this name, and nothing of the text is repeated.
SELECT pg_temp.try(source || $$, 'SELECT 1', NULL, target => 'target'$$) FROM unnest(ARRAY[
  $$'no_such_server'$$, $$''$$, $$'host=127.0.0.1 port'$$, $$'password=''never closed'$$, $$'passwrd=S3CRET'$$,
  $$'postgresql://user:pass%zz@host/db'$$, $$'mysql://user:pass@host/db'$$]) AS source;

-- The four-argument call has one signature: an unquoted date or a text does not pick another one.
SELECT copy_incremental('x', 'SELECT ''{day}''', 20180729, 2000);
SELECT copy_incremental('x', 'SELECT ''{day}''', '2018-07-29', '2000');
SELECT copy_incremental('x', 'SELECT ''{day}''', '2018-07-29'::text, 2000);
SELECT count(*) FROM target;
