# on_error => 'reject': rows that a conversion, a constraint or a trigger refuses are put aside, and the others load.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my $rows = ($ENV{PG_TEST_EXTRA} // '') =~ /\brejects\b/ ? 100_000 : 5_000;
my $good = $rows - 10;
my $every = $rows / 10;

on_both(<<~'SQL', $source, $destination);
	CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE TABLE events (id int, value int, code text, mood mood);
	SQL
$source->safe_psql('postgres', q[ALTER TYPE mood ADD VALUE 'angry']);
$source->safe_psql('postgres', "INSERT INTO events SELECT g, g, 'c' || g % 100, 'sad' FROM generate_series(1, $rows) AS g");
$destination->safe_psql('postgres', <<~SQL);
	CREATE DOMAIN small AS int CHECK (VALUE < 1000000);
	CREATE TABLE codes (code text PRIMARY KEY);
	INSERT INTO codes SELECT 'c' || g FROM generate_series(0, 99) AS g;
	CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \$\$
	  BEGIN IF NEW.value < 0 THEN RAISE EXCEPTION 'value % is bad', NEW.value USING ERRCODE = TG_ARGV[0]; END IF; RETURN NEW; END \$\$;
	SQL
# name, the target, how ten rows at the source are spoilt, SQLSTATE, constraint, column, what the message says
my $bad = "WHERE id % $every = 0";
my @kinds = (
	[ 'conversion', '', "mood = 'angry'", '22P02', '', 'mood', qr/invalid input value for enum mood: "angry"/ ],
	[ 'cast', 'ALTER TABLE t ALTER value TYPE smallint', 'value = 40000', '22003', '', '', qr/smallint out of range/ ],
	[ 'too long', 'ALTER TABLE t ALTER code TYPE varchar(4)', "code = 'longer'", '22001', '', '', qr/value too long for type character varying\(4\)/ ],
	[ 'NOT NULL', 'ALTER TABLE t ALTER code SET NOT NULL', 'code = NULL', '23502', '', 'code', qr/null value in column "code"/ ],
	[ 'CHECK', 'ALTER TABLE t ADD CONSTRAINT positive CHECK (value > 0)', 'value = -value', '23514', 'positive', '', qr/check constraint "positive"/ ],
	[ 'foreign key', 'ALTER TABLE t ADD CONSTRAINT known FOREIGN KEY (code) REFERENCES codes', "code = 'other'", '23503', 'known', '', qr/foreign key constraint "known"/ ],
	[ 'UNIQUE', 'ALTER TABLE t ADD CONSTRAINT once UNIQUE (value)', 'value = 1', '23505', 'once', '', qr/unique constraint "once"/ ],
	[ 'EXCLUDE', 'ALTER TABLE t ADD CONSTRAINT apart EXCLUDE (value WITH =)', 'value = 1', '23P01', 'apart', '', qr/exclusion constraint "apart"/ ],
	[ 'domain', 'ALTER TABLE t ALTER value TYPE small', 'value = 1000000', '23514', 'small_check', '', qr/value for domain small/ ],
	[ 'BEFORE trigger', "CREATE TRIGGER r BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse('P0001')", 'value = -value', 'P0001', '', '', qr/value -\d+ is bad/ ],
	[ 'AFTER trigger', "CREATE TRIGGER r AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse('TR001')", 'value = -value', 'TR001', '', '', qr/value -\d+ is bad/ ],
	[ 'no partition', 'DROP TABLE t; CREATE TABLE t (LIKE events) PARTITION BY RANGE (value); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10000000)',
		'value = -value', '23514', '', '', qr/no partition of relation "t"/ ]);
for my $kind (@kinds)
{
	my ($name, $target, $spoil, $sqlstate, $constraint, $column, $message) = @$kind;
	$source->safe_psql('postgres', "CREATE TABLE bad AS TABLE events; UPDATE bad SET $spoil $bad");
	$destination->safe_psql('postgres', "DROP TABLE IF EXISTS t; CREATE TABLE t (LIKE events); $target");
	my @call = ('SELECT * FROM bad', undef, target => "'t'", batch => 500);
	my ($status, undef, $error) = $destination->psql('postgres', copy_sql(@call), extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	is($error =~ s/.*ERROR:\s+(\w{5}).*/$1/sr, $sqlstate, "$name: without on_error the run fails");
	is($destination->safe_psql('postgres', copy_sql(@call, on_error => "'reject'")), $good, "$name: the good rows are loaded");
	my $rejects = 'FROM copy_incremental_rejects WHERE run_id = (SELECT max(run_id) FROM copy_incremental_runs)';
	is($destination->safe_psql('postgres', "SELECT count(*), string_agg(DISTINCT sqlstate || '|' || coalesce(constraint_name, '') || '|' "
			. "|| CASE sqlstate WHEN '22P02' THEN coalesce(column_name, '') WHEN '23502' THEN column_name ELSE '' END, ' ') $rejects"),
		"10|$sqlstate|$constraint|$column", "$name: ten rejects with their SQLSTATE, constraint and column");
	like($destination->safe_psql('postgres', "SELECT message $rejects LIMIT 1"), $message, "$name: the message");
	is($destination->safe_psql('postgres', "SELECT string_agg(source_row ->> 'id', ' ' ORDER BY (source_row ->> 'id')::int) $rejects"),
		join(' ', map { $_ * $every } 1 .. 10), "$name: the rows");
	is($destination->safe_psql('postgres', 'SELECT count(*), count(DISTINCT id) FROM t'), "$good|$good", "$name: no row twice");
	$source->safe_psql('postgres', 'DROP TABLE bad');
}

# Limits.
$source->safe_psql('postgres', "CREATE TABLE bad AS TABLE events; UPDATE bad SET value = -value $bad");
$destination->safe_psql('postgres', 'DROP TABLE t; CREATE TABLE t (LIKE events, CONSTRAINT positive CHECK (value > 0))');
my @call = ('SELECT * FROM bad', undef, target => "'t'", on_error => "'reject'");
my $counts = 'SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM copy_incremental_rejects)';
my $before = $destination->safe_psql('postgres', $counts);
fails_with($destination, copy_sql(@call, reject_limit => 9), '54000', qr/more rows were rejected than reject_limit allows \(9\), so.*23514: .*"positive".*HINT/s, 'over the limit the run fails');
is($destination->safe_psql('postgres', $counts), $before, 'over the limit nothing stays');
is($destination->safe_psql('postgres', copy_sql(@call, reject_limit => 10)), $good, 'at the limit it does not');
fails_with($destination, copy_sql('SELECT 1 AS id', undef, reject_limit => 1, target => "'t'"), '22023', qr/reject_limit has no meaning without on_error/, 'a limit alone');
fails_with($destination, copy_sql('SELECT 1 AS id', undef, on_error => "'skip'", target => "'t'"), '22023', qr/Allowed values are stop, reject/, 'another word');

# The other modes, a transform, batches.
$destination->safe_psql('postgres', 'TRUNCATE t; ALTER TABLE t ADD PRIMARY KEY (id)');
is($destination->safe_psql('postgres', copy_sql(@call, mode => "'upsert'")), $good, 'mode upsert');
is($destination->safe_psql('postgres', copy_sql(@call, mode => "'upsert'")), 0, 'mode upsert again: no row differs');
is($destination->safe_psql('postgres', copy_sql(@call, mode => "'replace'")), $good, 'mode replace');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM t'), $good, 'mode replace: the rows are there once');
$destination->safe_psql('postgres', 'CREATE TABLE child (id int REFERENCES t DEFERRABLE); INSERT INTO child VALUES (1)');
is($destination->safe_psql('postgres', copy_sql(@call, mode => "'replace'")), $good, 'mode replace: rows that others reference come back in time');
$destination->safe_psql('postgres', 'DROP TABLE child; TRUNCATE t');
is($destination->safe_psql('postgres', copy_sql(@call, transform => q[$$SELECT id, abs(value) AS value, code FROM batch WHERE 1 / (id - 77) IS NOT NULL$$])),
	$rows - 1, 'a transform that fails for one row');
$destination->safe_psql('postgres', 'TRUNCATE t');
my $batches = by_batches(copy_sql(@call));
$destination->safe_psql('postgres', $batches);
is($destination->safe_psql('postgres', 'SELECT count(*) FROM t'), $good, 'batches');

# What is no row's own fault fails the run.
$destination->safe_psql('postgres', <<~'SQL');
	TRUNCATE t;
	CREATE TABLE denied (id int);
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	  IF NEW.id = 30 THEN RAISE EXCEPTION 'no' USING ERRCODE = TG_ARGV[0]; END IF; RETURN NEW; END $$;
	SQL
for my $code (qw(53100 57014 08006 40001 55P03 42501 XX000 58030))
{
	$destination->safe_psql('postgres', "CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fail('$code')");
	fails_with($destination, copy_sql(@call), $code, qr/no/, "SQLSTATE $code is never a reject");
}
is($destination->safe_psql('postgres', 'DROP TRIGGER fail ON t; SELECT count(*) FROM t'), 0, 'and nothing was loaded');
my ($session, $pid) = open_session($destination);
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id = 30 THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END $$;
	CREATE TRIGGER wait BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION wait();
	SQL
start_call($session, copy_sql(@call));
ok(wait_until($destination, "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid"), 'a run in a subtransaction');
$destination->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
my ($cancelled) = end_of_call($session);
is($cancelled, '57014', 'a cancel ends it');
$session->quit;

# Users see their own rejects.
$destination->safe_psql('postgres', 'CREATE ROLE other');
is($destination->safe_psql('postgres', 'SET ROLE other; SELECT count(*) FROM copy_incremental_rejects'), 0, 'others see none of them');
fails_with($destination, 'SET ROLE other; DELETE FROM pgci_rejects', '42501', qr/permission denied/, 'nor may they write them');
no_session_left($source, 'no session is left at the source');
done_testing();
