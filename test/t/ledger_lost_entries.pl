# The extension is dropped, or the entry of a run is lost, while the run is under way: one clear error, nothing that the ledger does
# not know stays written, and the server lives.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "restart_after_crash = on\n");
my ($watcher) = open_session($destination);

$source->safe_psql('postgres', <<~SQL);
	CREATE TABLE job (id int, day date);
	INSERT INTO job SELECT g, date '2018-07-29' + g / 100 FROM generate_series(0, 199) AS g;
	SQL
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE job (id int CHECK (id <> 7), day date);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS
	  'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NEW; END';
	CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN EXECUTE TG_ARGV[0]; RETURN NEW; END';
	CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
	SQL

my $dropped = qr/ERROR:  55000: extension "pg_copy_incremental" was dropped while the run was under way\nHINT:  \S/;
my $state = 'SELECT (SELECT count(*) FROM job), (SELECT count(*) FROM copy_incremental_runs), (SELECT count(*) FROM copy_incremental_rejects)';
my @query = ('SELECT * FROM job WHERE day = $1 AND id <> 7 ORDER BY id', '2018-07-29');
sub call { my (%argument) = @_; return copy_sql(@query, batch => 20, target => "'job'", on_rerun => "'run'", %argument); }

# A trigger of the target drops the extension, in the same transaction.
for my $when ('BEFORE', 'AFTER')
{
	$destination->safe_psql('postgres', "CREATE TRIGGER act $when INSERT ON job FOR EACH ROW WHEN (NEW.id = 45) EXECUTE FUNCTION act('DROP EXTENSION IF EXISTS pg_copy_incremental')");
	for my $case ([ 'append' ], [ 'reject', on_error => "'reject'" ], [ 'copy', method => "'copy'" ],
		[ 'one batch', batch => 1000 ], [ 'verify', verify => 'true', replace_where => '$$day = $1$$' ])
	{
		my ($name, %argument) = @$case;
		my $said = fails_with($destination, call(%argument), '55000', $dropped, "dropped by a trigger $when: $name");
		unlike($said, qr/QUERY:/, "dropped by a trigger $when: $name: no statement of ours is shown");
		is($destination->safe_psql('postgres', $state), '0|0|0', "dropped by a trigger $when: $name: nothing is written");
	}
	$destination->safe_psql('postgres', 'DROP TRIGGER act ON job');
}

# What becomes of the entry in the same transaction.
for my $case ([ 'deleted', 'DELETE FROM pgci_runs' ], [ 'truncated', 'TRUNCATE pgci_runs' ],
	[ 'renumbered', 'UPDATE pgci_runs SET run_id = DEFAULT' ])
{
	my ($name, $sql) = @$case;
	$destination->safe_psql('postgres', "CREATE TRIGGER act AFTER INSERT ON job FOR EACH ROW WHEN (NEW.id = 45) EXECUTE FUNCTION act('$sql')");
	for my $method (qw(cursor copy))
	{
		fails_with($destination, call(method => "'$method'"), '55000', qr/pgci_runs has 0 entries of run \d+ instead of one\n.*HINT/s, "the entry is $name: $method");
		is($destination->safe_psql('postgres', $state), '0|0|0', "the entry is $name: $method: nothing is written");
	}
	$destination->safe_psql('postgres', 'DROP TRIGGER act ON job');
}

# A table of the extension that takes no entries.
for my $case ([ 'pgci_runs', 'INSERT', 0 ], [ 'pgci_runs', 'UPDATE', 0 ], [ 'pgci_rejects', 'INSERT', 0, on_error => "'reject'" ])
{
	my ($table, $event, $rows, %argument) = @$case;
	$destination->safe_psql('postgres', "CREATE TRIGGER nothing BEFORE $event ON $table FOR EACH ROW EXECUTE FUNCTION nothing()");
	fails_with($destination, copy_sql('SELECT * FROM job', undef, target => "'job'", $event eq 'INSERT' && %argument ? %argument : (on_error => "'reject'")), '55000',
		qr/$table has 0 entries of run \d+ instead of one\n/, "$table, $event: the entry is refused");
	is($destination->safe_psql('postgres', $state), '0|0|0', "$table, $event: nothing is written");
	$destination->safe_psql('postgres', "DROP TRIGGER nothing ON $table");
}

# Runs a statement that waits for the lock 42 in its row 45, and another one, which may have to wait for it, in the meantime; returns
# how it ended.
sub during
{
	my ($name, $call, $sql, $waits, $processes) = @_;
	$watcher->query_safe('SELECT pg_advisory_lock(42)');
	my $client = start_client($destination, 'run', $call);
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted), $processes // 1), "$name: the run waits");
	my $other = start_client($destination, 'other', $sql);
	ok(poll_session($watcher, q(SELECT count(*) > 0 FROM pg_locks WHERE locktype IN ('relation', 'object') AND NOT granted)), "$name: the other session waits") if $waits;
	is((end_of_client($other))[0], '00000', "$name: done") unless $waits;
	$watcher->query_safe('SELECT pg_advisory_unlock(42)');
	is((end_of_client($other))[0], '00000', "$name: done") if $waits;
	return end_of_client($client);
}

# Another session drops it between two transactions of a run: what is committed stays, and the caller knows.
my $again = 'DROP TABLE job; CREATE EXTENSION pg_copy_incremental; CREATE TABLE job (id int CHECK (id <> 7), day date)';
my $hold = "CREATE TRIGGER hold AFTER INSERT ON job FOR EACH ROW WHEN (NEW.id % 100 = 45) EXECUTE FUNCTION hold()";
my $backfill = sub { my ($workers) = @_; return "CALL copy_incremental_backfill('job', '2018-07-29', '2018-08-01', workers => $workers)"; };
my $define = define_job('job', 'SELECT * FROM job WHERE day = $1 AND id <> 7', first_day => "'2018-07-29'", batch => 20, target => "'job'");
for my $case ([ 'batches', by_batches(call()), 60 ], [ 'backfill', $backfill->(1), 99 ])
{
	my ($name, $call, $rows) = @$case;
	$destination->safe_psql('postgres', "$hold; $define");
	my ($ended, $out, $said) = during($name, $call, 'DROP EXTENSION pg_copy_incremental', 1);
	is($ended, '55000', $name) or diag($said);
	like($said, $dropped, "$name: the message");
	unlike($said, qr/QUERY:/, "$name: no statement of ours is shown");
	is($destination->safe_psql('postgres', 'SELECT count(*) FROM job'), $rows, "$name: what was committed");
	$destination->safe_psql('postgres', $again);
}

# A backfill in workers: whoever meets it first says so.
$destination->safe_psql('postgres', "$hold; $define");
my ($ended, $out, $said) = during('workers', $backfill->(2), 'DROP EXTENSION pg_copy_incremental', 1, 2);
is($ended, '55000', 'workers') or diag($said);
like($said, $dropped, 'workers: the message');
$destination->safe_psql('postgres', $again);

# The entry of batches is deleted between two of them.
$destination->safe_psql('postgres', $hold);
($ended, $out, $said) = during('batches, entry deleted', by_batches(call()), 'DELETE FROM pgci_runs');
is($ended, '55000', 'batches, entry deleted');
like($said, qr/pgci_runs has 0 entries of run \d+ instead of one/, 'batches, entry deleted: the message');
is($destination->safe_psql('postgres', $state), '40|0|0', 'batches, entry deleted: what was committed');

# A run in the background keeps the ledger from being dropped until its end.
$destination->safe_psql('postgres', 'TRUNCATE job');
my $start = job_sql('start', @query, batch => 20, target => "'job'");
$watcher->query_safe('SELECT pg_advisory_lock(42)');
my $run = $destination->safe_psql('postgres', $start);
ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted), 1), 'background: the run waits');
my $other = start_client($destination, 'other', 'DROP EXTENSION pg_copy_incremental');
ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE locktype IN ('relation', 'object') AND NOT granted), 1), 'background: the other session waits');
$watcher->query_safe('SELECT pg_advisory_unlock(42)');
is((end_of_client($other))[0], '00000', 'background: dropped');
is($destination->safe_psql('postgres', 'SELECT count(*) FROM job'), 99, 'background: the run was complete');

no_session_left($source, 'no session is left at the source');
done_testing();
