# A run writes the relation that it began to write, or ends: names that change their meaning before the lock, between
# transactions, between statements; what a later transaction finds changed.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my ($watcher) = open_session($destination);

$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE job (id int PRIMARY KEY, day date);
	INSERT INTO job SELECT g, date '2018-07-29' + g / 100 FROM generate_series(0, 199) AS g;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
	  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
	CREATE FUNCTION hold_elsewhere() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
	  PERFORM pg_advisory_xact_lock_shared(42), set_config(''search_path'', ''pg_catalog'', true); RETURN NEW; END';
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
	SQL

# A fresh s.job, whose row 45 waits for the advisory lock 42; and other tables that may take its place.
my @hold = ('CREATE TRIGGER hold BEFORE INSERT ON s.job FOR EACH ROW WHEN (NEW.id = 45) EXECUTE FUNCTION hold()');
my $table = '(id int PRIMARY KEY, day date)';
sub fresh
{
	my ($of, @more) = @_;
	$destination->safe_psql('postgres', join ';', 'SET client_min_messages = error', 'DELETE FROM pgci_runs',
		'DROP SCHEMA IF EXISTS s, s_old, s_new CASCADE', 'CREATE SCHEMA s', 'CREATE SCHEMA s_new', 'CREATE TABLE s_new.job (id int CONSTRAINT new_pkey PRIMARY KEY, day date)',
		"CREATE TABLE s.job $table $of", $of ? ('CREATE TABLE s.part PARTITION OF s.job FOR VALUES FROM (0) TO (60)', 'CREATE TABLE s.rest PARTITION OF s.job DEFAULT') : (), @more);
	return;
}

sub call
{
	my ($mode, %argument) = @_;
	$argument{replace_where} = q('day = $1') if $mode eq 'replace';
	return copy_sql('SELECT * FROM job WHERE day = $1 ORDER BY id', '2018-07-29', mode => "'$mode'", batch => 20, %argument);
}

# How many rows each table has, whatever its name is now.
sub rows
{
	return $destination->safe_psql('postgres', "SELECT string_agg(oid::regclass || ' ' || (xpath('//c/text()', query_to_xml('SELECT count(*) AS c FROM '
		|| oid::regclass, true, true, '')))[1]::text, ', ' ORDER BY oid::regclass::text) FROM pg_class
		WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace::regnamespace::text ~ '^s(_|\$)'");
}

# Starts a call, runs SQL when it waits for the lock 42; returns how it ended.
my $waits = q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted);
sub during
{
	my ($name, $call, @sql) = @_;
	$watcher->query_safe('SELECT pg_advisory_lock(42)');
	my $client = start_client($destination, 'run', $call);
	ok(poll_session($watcher, $waits, 1), "$name: the run waits");
	$destination->safe_psql('postgres', $_) for @sql;
	$watcher->query_safe('SELECT pg_advisory_unlock(42)');
	return end_of_client($client);
}

my $swap_schema = 'ALTER SCHEMA s RENAME TO s_old; ALTER SCHEMA s_new RENAME TO s';
my $replaced = qr/target s.job was replaced while the run was under way/;

# The schema is swapped in the middle of a transaction: no row goes into the other table. A statement that is analyzed again,
# as after search_path has changed, finds the other one, and ends the run; one that is not goes on with its own.
for my $case ([ 'append', '00000', '' ], [ 'skip', '00000', '' ], [ 'upsert', '00000', '' ], [ 'replace', '00000', '' ],
	[ 'append, reject', '00000', '', on_error => q('reject') ], [ 'upsert, reject', '00000', '', on_error => q('reject') ],
	[ 'append, partitions', '00000', 'PARTITION BY RANGE (id)' ],
	[ 'append, reject, partitions', '00000', 'PARTITION BY RANGE (id)', on_error => q('reject') ],
	(map { ["$_, search_path", '42P01', ''] } qw(append skip upsert replace)),
	[ 'append, reject, search_path', '42P01', '', on_error => q('reject') ],
	[ 'append, verify', '42P01', '', verify => 'true', replace_where => q('day = $1') ])
{
	my ($name, $wanted, $of, %argument) = @$case;
	my ($mode) = $name =~ /^(\w+)/;
	fresh($of, map { $name =~ /search_path/ ? s/hold\(\)/hold_elsewhere()/r : $_ } @hold);
	my ($state, $out, $said) = during($name, call($mode, target => q('s.job'), %argument), $swap_schema);
	is($state, $wanted, "schema swapped: $name") or diag("$out $said");
	like($said, $wanted eq '00000' ? qr/^$/ : $replaced, "schema swapped: $name: message");
	is(rows(), 's.job 0, s_old.job ' . ($wanted eq '00000' ? 100 : 0), "schema swapped: $name: rows");
}

# Rows are inserted many at once.
fresh('', 'CREATE TRIGGER hold AFTER INSERT ON s.job FOR EACH ROW WHEN (NEW.id = 45) EXECUTE FUNCTION hold()');
is((during('many', call('append', target => q('s.job')), $swap_schema))[0], '00000', 'schema swapped: many at once');
is(rows(), 's.job 0, s_old.job 100', 'schema swapped: many at once: rows');
fresh('', @hold);
is((during('copy', call('append', target => q('s.job'), method => q('copy')), $swap_schema))[0], '00000', 'schema swapped: copy');
is(rows(), 's.job 0, s_old.job 100', 'schema swapped: copy: rows');
for my $method ('cursor', 'copy')
{
	my $name = "replace by $method, whose DELETE is held up";
	fresh('', "INSERT INTO s.job VALUES (45, '2018-07-29')", 'CREATE FUNCTION s.hold_old() RETURNS trigger LANGUAGE plpgsql AS
	  $f$BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN OLD; END$f$',
		'CREATE TRIGGER hold BEFORE DELETE ON s.job FOR EACH ROW EXECUTE FUNCTION s.hold_old()');
	my ($state, $out, $said) = during($name, call('replace', target => q('s.job'), method => "'$method'"), $swap_schema);
	is($state, '42P01', $name) or diag("$out $said");
	is(rows(), 's.job 0, s_old.job 1', "$name: rows");
}

# The name means another table between the transactions of a procedure. The hold is on the second batch of the first
# table, whose commit gives the lock on the table free; what waits for that lock is next.
my $swap = 'BEGIN; ALTER TABLE s.job RENAME TO job_old; ALTER TABLE s_new.job SET SCHEMA s; COMMIT';
for my $case (
	[ 'swapped', $swap, '42P01', $replaced, 's.job 0, s.job_old 60' ],
	[ 'renamed', 'ALTER TABLE s.job RENAME TO other', '42P01', $replaced, 's.other 60, s_new.job 0' ],
	[ 'dropped', 'DROP TABLE s.job', '42P01', qr/target s.job was dropped/, 's_new.job 0' ],
	[ 'created again', "BEGIN; DROP TABLE s.job; CREATE TABLE s.job $table; COMMIT", '42P01', qr/target s.job was dropped/,
		's.job 0, s_new.job 0' ],
	[ 'a view', 'BEGIN; DROP TABLE s.job; CREATE VIEW s.job AS TABLE s_new.job; COMMIT', '42P01', qr/target s.job was dropped/,
		's_new.job 0' ],
	[ 'a column less', 'ALTER TABLE s.job DROP COLUMN day', '42804', qr/"day" does not exist/, 's.job 60, s_new.job 0' ],
	[ 'another type', 'ALTER TABLE s.job ALTER day TYPE text', '00000', qr/^$/, 's.job 100, s_new.job 0' ],
	[ 'a column more', 'ALTER TABLE s.job ADD more int NOT NULL DEFAULT 1', '00000', qr/^$/, 's.job 100, s_new.job 0' ],
	[ 'an ALWAYS identity', 'ALTER TABLE s.job ALTER id ADD GENERATED ALWAYS AS IDENTITY', '00000', qr/^$/, 's.job 100, s_new.job 0' ],
	[ 'a trigger', 'CREATE TRIGGER fail BEFORE INSERT ON s.job FOR EACH ROW EXECUTE FUNCTION fail()', 'P0001', qr/no/, 's.job 60, s_new.job 0' ],
	[ 'a rule', 'CREATE RULE r AS ON INSERT TO s.job DO INSTEAD NOTHING', '00000', qr/^WARNING:  01000: 40 rows were not written to s\.job/, 's.job 60, s_new.job 0' ])
{
	my ($what, $ddl, $wanted, $message, $rows) = @$case;
	my $name = "between batches: $what";
	fresh('', 'CREATE TRIGGER hold AFTER INSERT ON s.job FOR EACH ROW WHEN (NEW.id = 45) EXECUTE FUNCTION hold()');
	$watcher->query_safe('SELECT pg_advisory_lock(42)');
	my $client = start_client($destination, 'run', by_batches(call('append', target => q('s.job'))));
	ok(poll_session($watcher, $waits, 1), "$name: the run waits");
	my $ddl_client = start_client($destination, 'ddl', $ddl);
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted), 1),
		"$name: the other session waits for the table");
	$watcher->query_safe('SELECT pg_advisory_unlock(42)');
	is((end_of_client($ddl_client))[0], '00000', "$name: done");
	my ($state, undef, $said) = end_of_client($client);
	is($state, $wanted, $name);
	like($said, $message, "$name: message");
	is(rows(), $rows, "$name: rows");
}

# While the call waits for the lock of what its name means, another table takes the name: the run goes there, as an INSERT does.
for my $case ([ 'renamed', 'ALTER TABLE s.job RENAME TO job_old; CREATE TABLE s.job (LIKE s.job_old)', 'job', '00000', 's.job 100, s.job_old 0' ],
	[ 'dropped', "DROP TABLE s.job; CREATE TABLE s.job $table", 'job', '00000', 's.job 100' ],
	[ 'one before it in search_path', "CREATE TABLE s_new.job $table; LOCK TABLE s.job", 'job', '00000', 's.job 0, s_new.job 100' ],
	[ 'qualified', 'ALTER TABLE s.job RENAME TO job_old; CREATE TABLE s.job (LIKE s.job_old)', 's.job', '00000', 's.job 100, s.job_old 0' ],
	[ 'gone', 'DROP TABLE s.job', 'job', '42P01', '' ])
{
	my ($name, $ddl, $from, $state, $rows) = @$case;
	fresh('', 'DROP TABLE s_new.job');
	$source->safe_psql('postgres', 'CREATE SCHEMA IF NOT EXISTS s; CREATE OR REPLACE VIEW s.other AS TABLE job');
	$source->safe_psql('postgres', 'DROP TABLE IF EXISTS s.job; CREATE TABLE s.job AS TABLE job');
	my ($session) = open_session($destination);
	$session->query_safe("SET search_path = s_new, s; BEGIN; LOCK TABLE s.job; $ddl");
	my $client = start_client($destination, 'run', 'SET search_path = s_new, s, public', copy_sql("SELECT * FROM $from WHERE day = \$1", '2018-07-29'));
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted), 1), "name: $name: waits");
	$session->query_safe('COMMIT');
	$session->quit;
	my ($ended, $out, $said) = end_of_client($client);
	is($ended, $state, "name: $name") or diag("$out $said");
	is(rows(), $rows, "name: $name: rows");
}

# A regclass is an OID when the call begins.
fresh('');
my ($session) = open_session($destination);
$session->query_safe('BEGIN; DROP TABLE s.job');
my $client = start_client($destination, 'run', call('append', target => q('s.job')));
ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted), 1), 'argument target: waits');
$session->query_safe("CREATE TABLE s.job $table; COMMIT");
my ($ended, undef, $said) = end_of_client($client);
is($ended, '42P01', 'argument target: dropped') or diag($said);
like($said, qr/target with OID \d+ does not exist/, 'argument target: dropped: message');
is(rows(), 's.job 0, s_new.job 0', 'argument target: dropped: rows');
# It stays what it is, whatever becomes of its name before the lock, and the entry in the ledger is of it.
for my $case ([ 'another table takes its name', 'ALTER TABLE s.job RENAME TO job_old; CREATE TABLE s.job (LIKE s.job_old)', 's.job 0, s.job_old 100', 's.job_old' ],
	[ 'two tables swap their names', 'ALTER TABLE s.job RENAME TO swap; ALTER TABLE s.other RENAME TO job; ALTER TABLE s.swap RENAME TO other', 's.job 0, s.other 100', 's.other' ],
	[ 'moved to another schema', 'ALTER TABLE s.job SET SCHEMA s_new', 's.other 0, s_new.job 100', 's_new.job' ])
{
	my ($name, $ddl, $rows, $target) = @$case;
	for my $how ('copy_incremental', 'batches', 'copy')
	{
		fresh('', 'DROP TABLE s_new.job', $name =~ /takes/ ? () : "CREATE TABLE s.other $table");
		my $call = call('append', target => q('s.job'), $how eq 'copy' ? (method => q('copy')) : ());
		my ($holder) = open_session($destination);
		$holder->query_safe("BEGIN; LOCK TABLE s.job; $ddl");
		my $waiting = start_client($destination, 'run', $how eq 'batches' ? by_batches($call) : $call);
		ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted), 1), "argument target: $name, $how: waits");
		$holder->query_safe('COMMIT');
		$holder->quit;
		my ($state, $out, $why) = end_of_client($waiting);
		is($state, '00000', "argument target: $name, $how") or diag("$out $why");
		is(rows(), $rows, "argument target: $name, $how: rows");
		is($destination->safe_psql('postgres', 'SELECT DISTINCT target FROM copy_incremental_runs'), $target, "argument target: $name, $how: the ledger");
	}
}

no_session_left($source, 'no session is left at the source');
done_testing();
