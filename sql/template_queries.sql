-- The rules of the query template: what is one, what is none, and what the message says.
\getenv setup PG_ABS_SRCDIR
\set setup :setup '/sql/setup/'
\set file :setup 'loopback.psql'
\i :file
\set file :setup 'outcome.psql'
\i :file
SET timezone = 'America/New_York';
CREATE TABLE target (id int, "day" date, next_day date, start text, "end" timestamptz, t text);
-- A template with a day, one without, and the last row that came.
CREATE FUNCTION pg_temp.try(template text, day date) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  result text;
  last_row text;
BEGIN
  DELETE FROM target;
  PERFORM copy_incremental_forget('target', NULL, NULL);
  result := pg_temp.outcome(format('SELECT copy_incremental(''src'', %L, %L, 2, ''target'')', template, day));
  SELECT max(jsonb_strip_nulls(to_jsonb(r))::text) INTO last_row FROM target AS r;
  RETURN template || E'\n' || result || coalesce(' row ' || last_row, '');
END
$$;

-- Placeholders.
SELECT pg_temp.try(template, '2018-07-29') FROM unnest(ARRAY[
  $$SELECT date '{}' AS day$$,
  $$SELECT date '{day}' AS day, date '{next_day}' AS next_day$$,
  $$SELECT '{start}' AS start, timestamptz '{end}' AS "end"$$,
  $$SELECT '{}' || ' and {}' || ' and {{}}' AS t$$,
  $$SELECT '{{{day}}}' AS t$$,
  $$SELECT '}}{{' || '{}' AS t$$,
  $$SELECT $tag${}$tag$ || /* {} */ 'x' AS t -- {}$$,
  $$SELECT 1 AS id -- {}$$,
  $$SELECT {} AS id$$]) AS template;
SELECT pg_temp.try(template, '2018-07-29') FROM unnest(ARRAY[
  $$SELECT 1 AS id$$,
  $$SELECT '{{}}' AS t$$,
  $$SELECT '{date}' AS t$$,
  $$SELECT '{ day }' AS t$$,
  $$SELECT '{0}' AS t$$,
  $$SELECT '{DAY}' AS t$$,
  $$SELECT '{:%Y}' AS t$$,
  $$SELECT '{day!r}' AS t$$,
  $$SELECT 'x' ~ '[0-9]{4}' AS t$$,
  $$SELECT '{}' ~ '^[0-9]{4}-' AS t$$,
  $$SELECT '{"a": "{}"}' AS t$$,
  $$SELECT '{"a long piece of JSON, much longer than any name of a placeholder": 1}' AS t$$,
  $$SELECT '{' AS t$$,
  $$SELECT '}' AS t$$,
  $$SELECT '{}}' AS t$$,
  $$SELECT '{{}' AS t$$,
  $$SELECT '{é}' AS t$$]) AS template;

-- Parameters.
SELECT pg_temp.try(template, '2018-07-29') FROM unnest(ARRAY[
  $$SELECT $1::date AS day$$,
  $$SELECT $1::date AS day, $2::date AS next_day$$,
  $$SELECT $1::timestamptz::text AS start, $2::timestamptz AS "end"$$,
  $$SELECT $2::timestamptz::text AS start, $1::timestamptz::text AS t$$,
  $$SELECT $1::timestamptz::text || ' {4}' || '{}' || '{"a": 1}' AS t$$]) AS template;
SELECT pg_temp.try(template, '2018-07-29') FROM unnest(ARRAY[
  $$SELECT $1::date AS day, '{day}' AS t$$,
  $$SELECT $1::date AS day -- until {end}$$,
  $$SELECT $1::date AS day, $3::text AS t$$,
  $$SELECT $2::date AS day$$,
  $$SELECT $0::date AS day$$,
  $$SELECT $999999999::date AS day$$,
  $$SELECT $1$$,
  $$SELECT $1 AS t$$,
  $$SELECT '$1' AS t$$,
  $$SELECT 1 AS id -- $1$$,
  $$SELECT 1 /* $1 */ AS id$$,
  $$SELECT $tag$ $1 $tag$ AS t$$,
  $$SELECT 1 AS "$1"$$,
  $$SELECT 1 AS a$1$$,
  $$SELECT '$1' || '{}' AS t$$]) AS template;

-- Strings are read as the source reads them, whatever this session's setting is.
SET standard_conforming_strings = off;
SELECT pg_temp.try(template, '2018-07-29') FROM unnest(ARRAY[
  $$SELECT '\' || $1::date || '' AS t$$]) AS template;
RESET standard_conforming_strings;

-- Without a day.
SELECT pg_temp.try(template, NULL) FROM unnest(ARRAY[
  $$SELECT generate_series(1, 5) AS id$$,
  $$SELECT '{{literal}} braces' AS t$$,
  $$SELECT '$1' AS t$$,
  $$SELECT '{}' AS t$$,
  $$SELECT '{day}' AS t$$,
  $$SELECT '{4}' AS t$$,
  $$SELECT $1::date AS day$$,
  $$SELECT $2::date AS day$$]) AS template;

-- One statement.
SELECT pg_temp.try(template, NULL) FROM unnest(ARRAY[
  $$SELECT 1 AS id;$$,
  $$SELECT 1 AS id ; -- done$$,
  $$SELECT 1 AS id;;  /* ; */ ;$$,
  $$SELECT ';' AS t$$,
  $$SELECT 1 AS id -- no semicolon$$,
  $$  VALUES (1, 2)$$,
  $$VALUES (1), (2)$$,
  $$(SELECT 7 AS id)$$,
  $$TABLE pg_catalog.pg_am$$,
  $$WITH n AS (SELECT 7 AS id) SELECT * FROM n$$,
  $$SELECT 1 AS id UNION ALL SELECT 2 ORDER BY 1$$,
  $$SELECT 1 AS id; SELECT 2 AS id$$,
  $$SELECT 1 AS id; DROP TABLE target$$,
  $$BEGIN; SELECT 1 AS id$$,
  $$; SELECT 1 AS id$$,
  $$$$, $$   $$, $$-- nothing$$, $$/* nothing */ ;$$]) AS template;

-- A query, and nothing else.
SELECT pg_temp.try(template, NULL) FROM unnest(ARRAY[
  $$COPY (SELECT 1) TO STDOUT$$,
  $$COPY target FROM STDIN$$,
  $$COPY (SELECT 1) TO PROGRAM 'true'$$,
  $$select 1) to program 'true' --$$,
  $$INSERT INTO target VALUES (1)$$,
  $$INSERT INTO target VALUES (1) RETURNING id$$,
  $$UPDATE target SET id = 1 RETURNING id$$,
  $$DELETE FROM target RETURNING id$$,
  $$MERGE INTO target USING target AS s ON true WHEN MATCHED THEN DELETE$$,
  $$WITH gone AS (DELETE FROM target RETURNING id) SELECT * FROM gone$$,
  $$SELECT 1 AS id INTO copied$$,
  $$CREATE TABLE copied AS SELECT 1 AS id$$,
  $$SHOW server_version$$,
  $$EXPLAIN SELECT 1$$,
  $$BEGIN$$, $$COMMIT$$,
  $$SET TRANSACTION READ WRITE$$,
  $$SET search_path = public$$,
  $$LISTEN channel$$,
  $$CALL something()$$,
  $$DO 'BEGIN END'$$,
  $$EXECUTE plan$$,
  $$FETCH ALL FROM copy_incremental$$,
  $$DECLARE c CURSOR FOR SELECT 1$$,
  $$TRUNCATE target$$]) AS template;

-- What cannot be scanned, shown in the user's own template.
SELECT copy_incremental('src', $$SELECT 'never closed AS t$$, NULL, 2, 'target');
SELECT copy_incremental('src', $$SELECT 1 AS id /* never closed$$, NULL, 2, 'target');
SELECT copy_incremental('src', $$SELECT 1 AS id,
  U&'\zzzz' AS t$$, NULL, 2, 'target');
SELECT copy_incremental('src', $$SELECT '{}' || "never closed$$, '2018-07-29', 2, 'target');
DROP TABLE target;
