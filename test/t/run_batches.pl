# CALL copy_incremental_batches(): a commit after every batch, what a failure leaves, where it may be called.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers();
my ($host, $port) = ($destination->host, $destination->port);

sub results { return one_line($destination, 'verbose', @_); }

# The call without on_rerun, unless it is given.
sub call
{
	my ($query, @arguments) = @_;
	my $sql = copy_sql($query, '2018-07-29', on_rerun => "'error'", target => "'job'", batch => 10, @arguments);
	return by_batches($sql =~ s/, on_rerun => 'error'//r);
}

my $create = 'CREATE TABLE job (id int PRIMARY KEY, day date, value text)';
$source->safe_psql('postgres', "$create; INSERT INTO job SELECT g, '2018-07-29', 'v' FROM generate_series(1, 35) AS g");
$destination->safe_psql('postgres', <<SQL);
	$create;
	CREATE EXTENSION dblink;
	CREATE TABLE seen (batch int, rows bigint);
	CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
	  INSERT INTO seen SELECT 1, committed FROM dblink(''host=$host port=$port dbname=postgres'',
	    ''SELECT count(*) FROM job'') AS other (committed bigint); RETURN NULL; END';
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
	  IF NEW.id = 25 THEN RAISE EXCEPTION ''row 25''; END IF; RETURN NEW; END';
SQL
my $query = 'SELECT * FROM job WHERE day = $1 ORDER BY id';
my $count = 'SELECT count(*) FROM job';
my $last = q[SELECT concat_ws(' ', mode, status, 'read', rows_read, 'written', rows_written, 'deleted', rows_deleted,
	'batches', batches) FROM copy_incremental_runs ORDER BY run_id DESC LIMIT 1];
my $locks = q[SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'];
my $fail_on = 'CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON job FOR EACH ROW EXECUTE FUNCTION fail()';
my $fail_off = 'DROP TRIGGER fail ON job';
my @replace = (mode => "'replace'", replace_where => "'day = \$1'");

# Every batch is committed, and what it triggered with it.
is(results('CREATE TRIGGER see AFTER INSERT ON job EXECUTE FUNCTION see()', call($query), 'DROP TRIGGER see ON job',
		$count, $last, $locks, q[SELECT string_agg(rows::text, ',' ORDER BY rows) FROM seen]),
	'35 append succeeded read 35 written 35 deleted 0 batches 4 0 0,10,20,30',
	'another session sees every batch when the next one is written; AFTER triggers fire for each');
for my $case ([ 'no rows', 0, 0 ], [ 'one row', 1, 1 ], [ 'exactly one batch', 10, 1 ], [ 'one batch plus one row', 11, 2 ])
{
	my ($name, $rows, $batches) = @$case;
	is(results('TRUNCATE job, pgci_runs', call("SELECT * FROM job WHERE day = \$1 AND id <= $rows"), $count, $last, $locks),
		"$rows append succeeded read $rows written $rows deleted 0 batches $batches 0", $name);
}
for my $case ([ 'skip', 0, 0, mode => "'skip'" ], [ 'upsert', 0, 0, mode => "'upsert'" ], [ 'replace', 35, 35, @replace ],
	[ 'skip', 0, 0, mode => "'skip'", transform => "'SELECT *, 1 AS value FROM (SELECT id, day FROM batch) AS b'" ])
{
	my ($mode, $written, $deleted, @arguments) = @$case;
	is(results('TRUNCATE job, pgci_runs', "INSERT INTO job SELECT g, '2018-07-29', 'v' FROM generate_series(1, 35) AS g",
			call($query, @arguments), $count, $last), "35 $mode succeeded read 35 written $written deleted $deleted batches 4",
		"every row is there already: $mode");
}

# A failure in the third batch: two batches stay, the ledger says so, and the same call again completes the day.
for my $case ([ 'skip', 15, 0, mode => "'skip'" ], [ 'upsert', 15, 0, mode => "'upsert'" ], [ 'replace', 35, 20, @replace ])
{
	my ($mode, $written, $deleted, @arguments) = @$case;
	like(results('TRUNCATE job, pgci_runs', $fail_on, call("$query, length('$mode')", @arguments)), qr/^ERROR:  P0001: row 25.*batch 3/, "$mode fails");
	is(results($count, $last, $locks), "20 $mode partial read 20 written 20 deleted 0 batches 2 0",
		"$mode: the batches before the failure stay, and the ledger says how far it came");
	like(results(call("$query, length('$mode')")),
		qr/ERROR:  PI001: window 2018-07-29 of public\.\S+ was loaded in part .*HINT:  Use mode replace, upsert or skip/,
		"$mode: append refuses what is there in part");
	like(results(call("$query, length('$mode')", on_rerun => "'skip'")), qr/ERROR:  PI001: window 2018-07-29 of public\.\S+ was loaded in part/,
		"$mode: on_rerun skip does not take a part for the whole");
	is(results($fail_off, call("$query, length('$mode')", @arguments), $count, $last),
		"35 $mode succeeded read 35 written $written deleted $deleted batches 4", "$mode: the same call completes the day");
	like(results(call("$query, length('$mode')", on_rerun => "'skip'"), $locks),
		qr/^0NOTICE:  00000: window 2018-07-29 of public\.\S+ was already loaded, skipping DETAIL:  According to copy_incremental_runs, (?:\S+ \d+ of \S+ \S+ wrote \d+ rows(?:; )?){2}\.\s*$/,
		"$mode: then append has nothing to do");
}
like(results('TRUNCATE job, pgci_runs', $fail_on, call("$query, length('append')")), qr/row 25/, 'append fails');
like(results($fail_off, call("$query, length('append')")), qr/PI001/, 'append: the part is not doubled');
is(results("SELECT copy_incremental_forget('job', NULL, NULL) > 0", 'TRUNCATE job, pgci_runs', call("$query, length('append')"), $count), 't 35',
	'append: after the part is deleted and forgotten, the day is loaded whole');

# The source fails; a constraint fails when the batch is committed.
like(results('TRUNCATE job, pgci_runs', call('SELECT id, 100 / (id - 15) AS x, day FROM job WHERE day = $1 ORDER BY id',
			transform => "'SELECT id, day FROM batch'")), qr/ERROR:  22012/, 'the source fails in the second batch');
is(results($count, $last, $locks), '10 append partial read 10 written 10 deleted 0 batches 1 0', 'the first batch stays');
like(results('TRUNCATE job, pgci_runs', 'CREATE TABLE allowed (id int PRIMARY KEY)', 'INSERT INTO allowed SELECT generate_series(1, 24)',
		'ALTER TABLE job ADD CONSTRAINT allowed FOREIGN KEY (id) REFERENCES allowed DEFERRABLE INITIALLY DEFERRED',
		call("$query, length('deferred')")), qr/ERROR:  23503.*Key \(id\)=\(25\) is not present/, 'a deferred constraint fails at a commit');
is(results($count, $last, $locks, 'ALTER TABLE job DROP CONSTRAINT allowed'),
	'20 append partial read 20 written 20 deleted 0 batches 2 0', 'the batches before it stay');

# Where it may be called.
my $hint = qr/cannot be called inside a transaction block.*HINT:  Use autocommit \(psycopg: connection\.autocommit = True;/;
my $fresh = 0;
my $again = sub { return call("$query, length('" . ++$fresh . "')") };
results('CREATE FUNCTION in_function() RETURNS void LANGUAGE plpgsql AS $f$BEGIN ' . $again->() . '; END$f$',
	'CREATE PROCEDURE in_procedure() LANGUAGE plpgsql AS $f$BEGIN ' . $again->() . '; END$f$',
	'CREATE PROCEDURE with_settings() LANGUAGE plpgsql SET work_mem = $$1MB$$ AS $f$BEGIN ' . $again->() . '; END$f$',
	'CREATE PROCEDURE with_handler() LANGUAGE plpgsql AS $f$BEGIN ' . $again->()
	  . '; EXCEPTION WHEN division_by_zero THEN NULL; END$f$');
for my $case ([ 'a transaction block', 'BEGIN', $again->() ], [ 'a function', 'SELECT in_function()' ],
	[ 'a DO block in a transaction', 'BEGIN', 'DO $do$BEGIN ' . $again->() . '; END$do$' ],
	[ 'a procedure in a transaction', 'BEGIN', 'CALL in_procedure()' ],
	[ 'a procedure with settings', 'CALL with_settings()' ], [ 'a block with EXCEPTION', 'CALL with_handler()' ])
{
	my ($name, @statements) = @$case;
	like(results('TRUNCATE job, pgci_runs', @statements), qr/ERROR:  2D000: .*$hint/, "refused in $name");
	is(results($count, $locks), '0 0', "refused in $name: nothing was written");
}
for my $case ([ 'a DO block', 'DO $do$BEGIN ' . $again->() . '; END$do$' ], [ 'a procedure', 'CALL in_procedure()' ],
	[ 'a DO block with more to do', 'DO $do$BEGIN ' . $again->() . '; PERFORM 1; DELETE FROM job WHERE id > 20; '
		  . call("$query, length('more')", mode => "'upsert'") . '; END$do$' ])
{
	my ($name, @statements) = @$case;
	is(results('TRUNCATE job, pgci_runs', @statements, $count, $locks), '35 0', "works in $name");
}
my ($stdout, $stderr) = ('', '');
IPC::Run::run([ 'psql', '-XAtq', '-d', $destination->connstr('postgres'), '-c', "TRUNCATE job; " . $again->() ],
	'>', \$stdout, '2>', \$stderr);
like($stderr, qr/ERROR:  copy_incremental_batches\(\) cannot be called inside a transaction block/s,
	'refused beside another statement in one string');
like($stderr, qr/one statement per string/, 'refused beside another statement, hint');
is(results("PREPARE p AS SELECT 1", 'TRUNCATE job, pgci_runs', 'SET default_transaction_isolation = $$repeatable read$$', $again->(), $count),
	'35', 'REPEATABLE READ: every batch has its transaction');
like(results($again->() =~ s/CALL/SELECT/r), qr/ERROR:  42809.*is a procedure/, 'it is a procedure');

# Cancelled in the middle: the batches stay, the source is left alone, no lock remains.
$destination->safe_psql('postgres', 'TRUNCATE job, pgci_runs');
my $session = $destination->background_psql('postgres', on_error_stop => 0);
start_call($session, call('SELECT id, day, CASE WHEN id > 20 THEN pg_sleep(600) END::text AS value FROM job WHERE day = $1 ORDER BY id'));
ok(wait_until($destination, "$count", 20), 'two batches are committed while the third is awaited');
is(results($last, $locks), 'append partial read 20 written 20 deleted 0 batches 2 1', 'the ledger says partial meanwhile');
$destination->safe_psql('postgres', q[SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL%']);
ok(wait_until($destination, $locks, 0), 'cancelled: the place of the run is free');
no_session_left($source,
	'cancelled: no session is left at the source');
is(results($count, $last), '20 append partial read 20 written 20 deleted 0 batches 2', 'cancelled: two batches stay');
is($session->query('SELECT 1'), '1', 'cancelled: the session goes on');
$session->quit;

done_testing();
