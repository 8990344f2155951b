# Triggers of the target fire as for one INSERT of the day, and a call from inside a call is refused.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
$source->safe_psql('postgres', 'CREATE TABLE rows (id int); INSERT INTO rows SELECT generate_series(1, 5000)');
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION copy_rows(target regclass) RETURNS bigint LANGUAGE sql
	  AS $$ SELECT copy_incremental('src', 'SELECT id FROM rows ORDER BY id', NULL, 1000, target, on_rerun => 'run') $$;
	CREATE TABLE log (what text, n bigint);
	CREATE TABLE rows (id int);
	CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  INSERT INTO log VALUES (concat_ws(' ', TG_WHEN, TG_LEVEL), (SELECT count(*) FROM rows));
	  RETURN NEW;
	END $$;
	CREATE FUNCTION log_new() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  INSERT INTO log SELECT 'transition table', count(*) FROM new_rows;
	  RETURN NULL;
	END $$;
	SQL

# Copies into rows with these triggers, and says what they logged.
sub logged
{
	my (@triggers) = @_;
	my $create = join ';', map { "CREATE $_" } @triggers;
	return $destination->safe_psql('postgres', "BEGIN; $create; SELECT copy_rows('rows');"
		  . 'SELECT what, n, count(*) FROM log GROUP BY what, n ORDER BY what, n; ROLLBACK');
}

is(logged('TRIGGER a BEFORE INSERT ON rows EXECUTE FUNCTION log()',
		'TRIGGER b AFTER INSERT ON rows EXECUTE FUNCTION log()'),
	"5000\nAFTER STATEMENT|5000|1\nBEFORE STATEMENT|0|1", 'statement triggers fire once, at begin and end');
is(logged('TRIGGER a AFTER INSERT ON rows REFERENCING NEW TABLE AS new_rows EXECUTE FUNCTION log_new()'),
	"5000\ntransition table|5000|1", 'a transition table has all rows of the run');
is(logged('TRIGGER a AFTER INSERT ON rows FOR EACH ROW WHEN (NEW.id % 2500 = 0) EXECUTE FUNCTION log()'),
	"5000\nAFTER ROW|5000|2", 'AFTER ROW triggers fire after all batches');

# Deferred constraints, and foreign keys to the table itself.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE deferred (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
	INSERT INTO deferred VALUES (4500);
	CREATE TABLE parents (id int PRIMARY KEY);
	INSERT INTO parents SELECT generate_series(1, 4999);
	CREATE TABLE children (id int REFERENCES parents);
	CREATE TABLE later (id int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
	SQL
fails_with($destination, "SELECT copy_rows('deferred')", '23505', qr/deferred_id_key/, 'a deferred unique key fails at COMMIT');
is($destination->safe_psql('postgres', "BEGIN; SELECT copy_rows('deferred'); DELETE FROM deferred WHERE ctid = '(0,1)';"
	  . 'COMMIT; SELECT count(*) FROM deferred'), "5000\n5000", 'and holds when it is mended before');
fails_with($destination, "SELECT copy_rows('children')", '23503', qr/children_id_fkey/, 'a foreign key fails the call');
fails_with($destination, "SELECT copy_rows('later')", '23503', qr/later_id_fkey/, 'a deferred foreign key fails at COMMIT');
is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM children), (SELECT count(*) FROM later)'), '0|0',
	'both leave nothing');
is($destination->safe_psql('postgres', "BEGIN; SELECT copy_rows('later'); INSERT INTO parents VALUES (5000); COMMIT;"
	  . 'SELECT count(*) FROM later'), "5000\n5000", 'a deferred foreign key that is met in time');
is($destination->safe_psql('postgres', <<~'SQL'), "23503\n5000", 'a foreign key in an EXCEPTION block, then a good call');
	BEGIN;
	DELETE FROM parents WHERE id = 5000;
	DO $$ BEGIN PERFORM copy_rows('children'); EXCEPTION WHEN foreign_key_violation THEN
	  PERFORM set_config('test.state', SQLSTATE, false); END $$;
	SELECT current_setting('test.state');
	INSERT INTO parents VALUES (5000);
	SELECT copy_rows('children');
	SQL

# Calls from inside a call.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE outer_rows (id int);
	CREATE TABLE inner_rows (id int);
	CREATE FUNCTION copy_inner() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  IF NEW.id = 4000 THEN PERFORM copy_rows('inner_rows'); END IF;
	  RETURN NEW;
	END $$;
	CREATE FUNCTION try_copy_inner() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  IF NEW.id % 1000 = 0 THEN PERFORM copy_rows('inner_rows'); END IF;
	  RETURN NEW;
	EXCEPTION WHEN object_in_use THEN
	  INSERT INTO log VALUES ('refused', NEW.id);
	  RETURN NEW;
	END $$;
	CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  PERFORM count(*) FROM copy_incremental_batch_rows() AS batch(id int);
	  RETURN NULL;
	END $$;
	CREATE TRIGGER copy BEFORE INSERT ON outer_rows FOR EACH ROW EXECUTE FUNCTION copy_inner();
	SQL
fails_with($destination, "SELECT copy_rows('outer_rows')", '55006', qr/already running/, 'a nested call is refused');
my ($session) = open_session($destination);
$session->query("SELECT copy_rows('outer_rows')");
$session->{stderr} = '';
is($session->query_safe("SELECT copy_rows('rows'); TRUNCATE rows"), 5000, 'the session copies after it');
$session->query_safe('CREATE OR REPLACE TRIGGER copy BEFORE INSERT ON outer_rows FOR EACH ROW EXECUTE FUNCTION try_copy_inner()');
is($session->query_safe("SELECT copy_rows('outer_rows'); SELECT count(*), min(n), max(n) FROM log WHERE what = 'refused'"),
	"5000\n5|1000|5000", 'a trigger that catches the refusal lets the run go on');
is($session->query_safe('SELECT count(*) FROM inner_rows'), 0, 'and the inner run wrote nothing');
is($session->query_safe("SELECT copy_rows('rows'), copy_rows('rows')"), '5000|5000', 'two calls after each other are not nested');
$session->query_safe('TRUNCATE rows; CREATE TRIGGER steal BEFORE INSERT ON rows EXECUTE FUNCTION steal()');
is($session->query_safe("SELECT copy_rows('rows'); SELECT count(*) FROM rows"), "5000\n5000", 'a trigger that reads the batch takes nothing from it');
$session->query_safe("CREATE OR REPLACE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS \$\$
	BEGIN PERFORM id FROM copy_incremental_batch_rows() AS batch(id text); RETURN NULL; END \$\$");
fails_with($destination, "SELECT copy_rows('rows')", '42804', qr/do not match/, 'a trigger that reads the batch as other types');
$session->query_safe('DROP TRIGGER steal ON rows');
fails_with($destination, 'SELECT * FROM copy_incremental_batch_rows() AS batch(id int)', '55000', qr/no batch/,
	'the batch function alone is refused');

# Calls on somebody else's behalf.
$session->query_safe(<<~'SQL');
	CREATE FUNCTION sneaky(id int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql SET search_path = public AS $$ BEGIN RETURN copy_rows('inner_rows'); END $$;
	CREATE MATERIALIZED VIEW sneaky AS SELECT sneaky(1) WITH NO DATA
	SQL
fails_with($destination, 'CREATE INDEX ON outer_rows (sneaky(id))', '42501', qr/security-restricted/,
	'a call from an index expression is refused');
fails_with($destination, 'REFRESH MATERIALIZED VIEW sneaky', '42501', qr/security-restricted/,
	'a call from REFRESH MATERIALIZED VIEW is refused');

no_session_left($source, 'no session is left at the source');
$session->quit;
done_testing();
