-- A copy is one INSERT statement to triggers and rules, whatever the batch: triggers fire once a row or once a run.
\getenv setup PG_ABS_SRCDIR
\set file :setup '/sql/setup/loopback.psql'
\i :file
\c regress_source
CREATE TABLE rows (id int, name text);
INSERT INTO rows SELECT g, 'row ' || g FROM generate_series(1, 5) AS g;
\c :this_database
\set copy_into 'SELECT copy_incremental(\'src\', \'SELECT * FROM rows\', NULL, 2, '
CREATE TABLE log (n serial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what)
  SELECT concat_ws(' ', tg_name, CASE WHEN tg_level = 'ROW' THEN new.id END, 'sees', count(*)) FROM t_plain;
  RETURN new;
END
$$;

-- The four kinds, and how many rows each sees: the statement is one, its last row is in before the first AFTER.
CREATE TABLE t_plain (id int PRIMARY KEY, name text);
CREATE TRIGGER a_before_statement BEFORE INSERT ON t_plain EXECUTE FUNCTION note();
CREATE TRIGGER b_before_row BEFORE INSERT ON t_plain FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c_after_row AFTER INSERT ON t_plain FOR EACH ROW WHEN (new.id > 3) EXECUTE FUNCTION note();
CREATE TRIGGER d_after_statement AFTER INSERT ON t_plain EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER e_deferred AFTER INSERT ON t_plain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (new.id = 5) EXECUTE FUNCTION note();
:copy_into 't_plain');
SELECT what FROM log ORDER BY n;
-- The same of a plain INSERT, to compare: only the rows that BEFORE ROW sees may differ, by the batches before.
CREATE TABLE copied AS TABLE log;
TRUNCATE t_plain, log;
INSERT INTO t_plain SELECT g, 'row ' || g FROM generate_series(1, 5) AS g;
SELECT what FROM log EXCEPT SELECT what FROM copied ORDER BY 1;
-- Statement triggers fire on an empty day too.
TRUNCATE t_plain, log;
SELECT copy_incremental('src', 'SELECT 1 AS id, text ''a'' AS name WHERE false', NULL, 2, 't_plain');
SELECT what FROM log ORDER BY n;
DROP TABLE copied;

-- Transition tables hold all rows of the run.
CREATE TABLE t_transition (id int, name text);
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO log (what) SELECT tg_name || ': ' || string_agg(name, ', ' ORDER BY id) FROM inserted;
  RETURN NULL;
END
$$;
CREATE TRIGGER whole AFTER INSERT ON t_transition REFERENCING NEW TABLE AS inserted EXECUTE FUNCTION note_all();
TRUNCATE log;
:copy_into 't_transition');
SELECT what FROM log ORDER BY n;

-- A trigger that changes rows; one that drops them, which lessens the count.
CREATE FUNCTION odd_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.id % 2 = 0 THEN RETURN NULL; END IF;
  new.name := upper(new.name);
  RETURN new;
END
$$;
CREATE TABLE t_odd (id int, name text);
CREATE TRIGGER odd_only BEFORE INSERT ON t_odd FOR EACH ROW EXECUTE FUNCTION odd_only();
:copy_into 't_odd');
SELECT * FROM t_odd ORDER BY id;

-- A trigger that fails, and one that calls copy_incremental.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'no % here', new.name USING ERRCODE = 'QQ123', DETAIL = 'A detail.', HINT = 'A hint.', COLUMN = 'id';
END
$$;
CREATE TABLE t_refuse (id int, name text);
CREATE TRIGGER refuse BEFORE INSERT ON t_refuse FOR EACH ROW WHEN (new.id = 4) EXECUTE FUNCTION refuse();
:copy_into 't_refuse');
\echo :LAST_ERROR_SQLSTATE
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM copy_incremental('src', 'SELECT * FROM rows', NULL, 2, 't_plain');
  RETURN NULL;
END
$$;
CREATE TABLE t_again (id int, name text);
CREATE TRIGGER again AFTER INSERT ON t_again EXECUTE FUNCTION again();
:copy_into 't_again');
CREATE FUNCTION once(text) RETURNS boolean LANGUAGE sql AS
  $$ SELECT copy_incremental('src', 'SELECT * FROM rows', NULL, 2, 't_plain') > 0 $$;
CREATE DOMAIN calling AS text CHECK (once(value));
CREATE TABLE t_calling (id int, name calling);
:copy_into 't_calling');
SELECT (SELECT count(*) FROM t_refuse) AS refused, (SELECT count(*) FROM t_again) AS again, (SELECT count(*) FROM t_plain) AS plain;

-- Views: updatable ones, with CHECK OPTION, and with INSTEAD OF triggers.
CREATE TABLE t_base (id int PRIMARY KEY, name text, source text DEFAULT 'view');
CREATE VIEW v_simple AS SELECT id, name FROM t_base;
:copy_into 'v_simple');
SELECT * FROM t_base ORDER BY id;
CREATE VIEW v_checked AS SELECT id, name FROM t_base WHERE id > 10 WITH CHECK OPTION;
TRUNCATE t_base;
:copy_into 'v_checked');
CREATE VIEW v_instead AS SELECT id, name, count(*) FROM t_base GROUP BY 1, 2;
:copy_into 'v_instead');
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF new.id = 2 THEN RETURN NULL; END IF;
  INSERT INTO log (what) VALUES ('instead of ' || new.name);
  RETURN new;
END
$$;
CREATE TRIGGER instead INSTEAD OF INSERT ON v_instead FOR EACH ROW EXECUTE FUNCTION instead();
TRUNCATE log;
:copy_into 'v_instead');
SELECT what FROM log ORDER BY n;

-- Rules: one that adds a statement, one that replaces it, one with a condition, one that does nothing.
CREATE TABLE t_also (id int, name text);
CREATE RULE also AS ON INSERT TO t_also DO ALSO INSERT INTO log (what) VALUES ('also ' || new.name);
TRUNCATE log;
:copy_into 't_also');
SELECT (SELECT count(*) FROM t_also) AS rows, string_agg(what, ', ' ORDER BY n) AS log FROM log;
CREATE TABLE t_replaced (id int, name text);
CREATE RULE replaced AS ON INSERT TO t_replaced DO INSTEAD INSERT INTO log (what) VALUES ('replaced ' || new.name);
TRUNCATE log;
:copy_into 't_replaced');
SELECT (SELECT count(*) FROM t_replaced) AS rows, string_agg(what, ', ' ORDER BY n) AS log FROM log;
CREATE TABLE t_conditional (id int, name text);
CREATE RULE conditional AS ON INSERT TO t_conditional WHERE new.id > 3
  DO INSTEAD INSERT INTO log (what) VALUES ('instead ' || new.name);
TRUNCATE log;
:copy_into 't_conditional');
SELECT (SELECT count(*) FROM t_conditional) AS rows, string_agg(what, ', ' ORDER BY n) AS log FROM log;
CREATE TABLE t_nothing (id int, name text);
CREATE RULE nothing AS ON INSERT TO t_nothing DO INSTEAD NOTHING;
:copy_into 't_nothing');
SELECT count(*) FROM t_nothing;

SET client_min_messages = warning;
DROP TABLE log, t_plain, t_transition, t_odd, t_refuse, t_again, t_calling, t_base, t_also, t_replaced, t_conditional, t_nothing CASCADE;
DROP FUNCTION note, note_all, odd_only, refuse, again, once, instead CASCADE;
\c regress_source
DROP TABLE rows;
