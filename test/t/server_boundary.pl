# The boundary between ERROR and C++: an error of any layer arrives whole in PL/pgSQL, and whatever surrounds a call
# (EXCEPTION blocks, savepoints, prepared transactions, triggers) keeps its promises, by each method.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "max_prepared_transactions = 5\n");

$source->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int, note text);
	INSERT INTO rows SELECT g, 'row ' || g FROM generate_series(1, 5000) AS g;
	CREATE FUNCTION shout(id int) RETURNS int LANGUAGE plpgsql AS $$
	BEGIN
	  IF id = 4000 THEN
	    RAISE EXCEPTION 'shouted at the source' USING ERRCODE = 'ZX001', DETAIL = 'its detail', HINT = 'its hint';
	  END IF;
	  RETURN id;
	END $$;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE rows (id int CONSTRAINT few CHECK (id <= 5000), note text);
	CREATE TABLE strict (id int CONSTRAINT only_3000 CHECK (id < 3000), note text NOT NULL);
	CREATE TABLE keyed (id int PRIMARY KEY, note text);
	INSERT INTO keyed VALUES (4500, 'in the way');
	CREATE TABLE loud (id int, note text);
	CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
	  IF NEW.id = 4000 THEN
	    RAISE EXCEPTION 'a trigger speaks' USING ERRCODE = 'ZX002', DETAIL = 'trigger detail', HINT = 'trigger hint',
	      COLUMN = 'a column', CONSTRAINT = 'a constraint', DATATYPE = 'a type', TABLE = 'a table', SCHEMA = 'a schema';
	  END IF;
	  RETURN NEW;
	END $$;
	CREATE TRIGGER loud BEFORE INSERT ON loud FOR EACH ROW EXECUTE FUNCTION loud();
	CREATE FUNCTION copy_rows(query text, target regclass) RETURNS bigint LANGUAGE sql
	  AS $$ SELECT copy_incremental('src', query, NULL, 1000, target, on_rerun => 'run', method => current_setting('test.method')) $$;

	-- What PL/pgSQL sees of the error of a call.
	CREATE FUNCTION failure(query text, target regclass, OUT state text, OUT message text, OUT detail text,
	  OUT hint text, OUT column_ text, OUT constraint_ text, OUT type_ text, OUT table_ text, OUT schema_ text,
	  OUT context text)
	LANGUAGE plpgsql AS $$
	BEGIN
	  PERFORM copy_rows(query, target);
	EXCEPTION WHEN OTHERS THEN
	  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL,
	    hint = PG_EXCEPTION_HINT, column_ = COLUMN_NAME, constraint_ = CONSTRAINT_NAME, type_ = PG_DATATYPE_NAME,
	    table_ = TABLE_NAME, schema_ = SCHEMA_NAME, context = PG_EXCEPTION_CONTEXT;
	END $$;
	SQL

my $all = 'SELECT id, note FROM rows ORDER BY id';

# All fields of the error of a call but its context, and its context.
sub failure
{
	my ($query, $target) = @_;
	my $row = $destination->safe_psql('postgres',
		"SELECT state, message, detail, hint, column_, constraint_, type_, table_, schema_, '', context
		   FROM failure(\$\$$query\$\$, '$target')");
	my ($fields, $context) = split /\|\|(?=[^|]*\z)/, $row, 2;
	return ($fields, $context);
}

for my $method ('cursor', 'copy')
{
	note("method $method");
	$destination->safe_psql('postgres', "ALTER DATABASE postgres SET test.method = '$method'");
	my ($third, $fourth) = map { $method eq 'copy' ? "" : ", batch $_" } 3, 4;
	my ($fields, $context) = failure($all, 'strict');
	is($fields, '23514|new row for relation "strict" violates check constraint "only_3000"|'
		  . 'Failing row contains (3000, row 3000).|||only_3000||strict|public', 'CHECK at the target: all fields');
	like($context, qr/copying the whole result into public\.strict$third/, 'CHECK at the target: context');

	($fields) = failure('SELECT id, nullif(note, $x$row 7$x$) AS note FROM rows', 'strict');
	is($fields, '23502|null value in column "note" of relation "strict" violates not-null constraint|'
		  . 'Failing row contains (7, null).||note|||strict|public', 'NOT NULL at the target: all fields');

	($fields) = failure($all, 'keyed');
	is($fields, '23505|duplicate key value violates unique constraint "keyed_pkey"|Key (id)=(4500) already exists.|'
		  . '||keyed_pkey||keyed|public', 'unique key at the target: all fields');

	($fields, $context) = failure($all, 'loud');
	is($fields, 'ZX002|a trigger speaks|trigger detail|trigger hint|a column|a constraint|a type|a table|a schema',
		'RAISE in a trigger: all fields');
	like($context, qr/^PL\/pgSQL function loud\(\) line 4 at RAISE\n(.*\n)*copying the whole result into public\.loud$fourth/,
		'RAISE in a trigger: context');

	($fields, $context) = failure('SELECT shout(id) AS id, note FROM rows', 'rows');
	is($fields, 'ZX001|shouted at the source|its detail|its hint|||||', 'RAISE at the source: all fields');
	like($context, qr/PL\/pgSQL function shout\(integer\) line 4 at RAISE\non source server src/,
		'RAISE at the source: its context, and that it is the source');
	like($context, qr/copying the whole result into public\.rows$fourth\n/, 'RAISE at the source: our context');

	($fields) = failure('SELECT id FROM no_such_table', 'rows');
	is($fields, '42P01|relation "no_such_table" does not exist|||||||', 'an error of the source while it parses');
	($fields) = failure('SELECT id AS idd FROM rows', 'rows');
	like($fields, qr/^42804\|source column "idd" does not exist in target public\.rows\|Source: .*\|Columns map by name\..*\|\|\|\|\|$/,
		'an error of our own, with detail and hint');
	($fields, $context) = failure('SELECT id, nullif(1, id) / 0 AS note FROM rows', 'rows');
	like($fields, qr/^22012\|division by zero\|/, 'an error of the source while it computes');
	($fields, $context) = failure(q(SELECT 'x' || id AS id FROM rows), 'rows');
	like($fields, qr/^42804\|column "id" is of type integer but expression is of type text\|/, 'a value that the target type does not take');

	is($destination->safe_psql('postgres', 'SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM strict),'
		  . ' (SELECT count(*) FROM keyed), (SELECT count(*) FROM loud)'), '0|0|1|0', 'after all these nothing is written');

	my $begin = "BEGIN; SELECT copy_rows('$all', 'rows');";
	my $count = 'SELECT count(*), count(DISTINCT id) FROM rows';

	is($destination->safe_psql('postgres', <<~SQL), "5000\n23514\n5000\n10000|5000", 'EXCEPTION block: only the failed rows vanish');
		$begin SELECT state FROM failure('$all', 'strict'); SELECT copy_rows('$all', 'rows'); $count; ROLLBACK
		SQL
	my ($session) = open_session($destination);
	is($session->query_safe("$begin SAVEPOINT s"), 5000, 'savepoint after a good call');
	$session->query("SELECT copy_rows('$all', 'strict')");
	like($session->{stderr}, qr/ERROR:  23514/, 'a failed call after it');
	$session->{stderr} = '';
	is($session->query_safe("ROLLBACK TO s; SELECT copy_rows('$all', 'rows'); $count"), "5000\n10000|5000",
		'ROLLBACK TO and a good call: exact rows');
	is($session->query_safe("SAVEPOINT t; SELECT copy_rows('$all', 'rows'); ROLLBACK TO t; $count"), "5000\n10000|5000",
		'ROLLBACK TO undoes a good call');
	is($session->query_safe("ROLLBACK; $count"), '0|0', 'ROLLBACK undoes all');

	is($destination->safe_psql('postgres', <<~SQL), "5000\n5000\n5000\n15000", 'one SELECT calls three times');
		BEGIN; SELECT copy_rows(\$\$$all\$\$, 'rows') FROM generate_series(1, 3); SELECT count(*) FROM rows; ROLLBACK
		SQL
	is($destination->safe_psql('postgres', <<~SQL), '5000', 'a DO block and an assignment');
		BEGIN;
		DO \$do\$ DECLARE n bigint; BEGIN
		  n := copy_rows(\$\$$all\$\$, 'rows');
		  ASSERT n = 5000 AND n = (SELECT count(*) FROM rows);
		END \$do\$;
		SELECT count(*) FROM rows; ROLLBACK
		SQL
	for my $level ('REPEATABLE READ', 'SERIALIZABLE')
	{
		is($destination->safe_psql('postgres', "BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM rows;"
			  . "SELECT copy_rows('$all', 'rows'); $count; ROLLBACK"), "0\n5000\n5000|5000", "$level");
	}
	$destination->safe_psql('postgres', "$begin PREPARE TRANSACTION 'copied'");
	no_session_left($source, 'PREPARE TRANSACTION leaves no session at the source');
	is($destination->safe_psql('postgres', $count), '0|0', 'before COMMIT PREPARED nothing is to be seen');
	$destination->restart;
	is($destination->safe_psql('postgres', "COMMIT PREPARED 'copied'; $count; TRUNCATE rows"), '5000|5000',
		'COMMIT PREPARED after a restart: exact rows');
	($session) = open_session($destination);

	# The session's own state, with an error and without one.
	$session->query_safe(<<~'SQL');
		SET client_encoding = 'LATIN1'; SET DateStyle = 'German, DMY'; SET IntervalStyle = 'iso_8601'; SET search_path = public;
		LISTEN news; CREATE TEMP TABLE mine AS SELECT 1 AS id;
		BEGIN; DECLARE mine CURSOR WITH HOLD FOR SELECT generate_series(1, 10)
		SQL
	my $state = q(SELECT concat_ws(' ', current_setting('client_encoding'), current_setting('DateStyle'),
	  current_setting('IntervalStyle'), current_setting('TimeZone'), current_setting('search_path'),
	  current_setting('client_connection_check_interval'), current_setting('lock_timeout')), array(SELECT pg_listening_channels()),
	  (SELECT count(*) FROM mine), (SELECT count(*) FROM pg_cursors), (SELECT count(*) FROM pg_prepared_statements));
	my $before = $session->query_safe($state);
	is($session->query_safe("SELECT copy_rows('$all', 'rows')"), 5000, 'a call with cursors, temporary tables and LISTEN');
	is($session->query_safe($state), $before, 'the session is as it was');
	is($session->query_safe("SELECT state FROM failure(\$\$SELECT id, 'x'::text AS note, 1 AS too_much FROM rows\$\$, 'rows')"),
		'42804', 'a failing call');
	is($session->query_safe(q(SELECT state FROM failure($$SELECT id, ('[' || id)::json::text AS note FROM rows$$, 'rows'))),
		'22P02', 'a call that fails at the source');
	is($session->query_safe($state), $before, 'the session is as it was after errors');
	is($session->query_safe('FETCH 2 FROM mine; COMMIT; FETCH 2 FROM mine; SELECT count(*) FROM rows'), "1\n2\n3\n4\n5000",
		'its cursor goes on');
	$session->query_safe('TRUNCATE rows');

	$session->quit;
}
done_testing();
