# copy_incremental_batches() and a run of the same window meet: the procedure holds its place from its first batch to its last,
# and gives it back however it ends.
use strict;
use warnings;

use MeetingRuns;
use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

start_meeting();

# Starts the procedure and returns once it waits in its fourth batch.
sub start_batches
{
	my ($name, $mode, @settings) = @_;
	start_anew();
	my $run = start_client($destination, 'batches', @settings, batches($mode));
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'), 1),
		"$name: the procedure is in its fourth batch");
	is($watcher->query_safe('SELECT status, batches, rows_written FROM copy_incremental_runs'), 'partial|3|300',
		"$name: the ledger says how far");
	return $run;
}
my $is_batches = "application_name = 'batches'";
for my $mode (qw(skip upsert replace))
{
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(42)');
	my $name = "batches, $mode";
	my $run = start_batches($name, $mode, 'SET test.wait = 350');
	my $second = start_second($name, call($mode, target => q('keyed')));
	# Who wants the whole table waits for the second, and is no obstacle to the first.
	my $third = start_client($destination, 'third', 'BEGIN; LOCK TABLE keyed; COMMIT');
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'keyed'::regclass), 1),
		"$name: a third wants the whole table");
	$holder->quit;
	ends_with("$name: the procedure", $run, '00000', '');
	ends_with("$name: the second", $second, '00000', $mode eq 'replace' ? 500 : 0);
	ends_with("$name: the third", $third, '00000', '');
	rows_are($name, 500, 'keyed');
	is($watcher->query_safe('SELECT string_agg(status, $$ $$), min(rows_read) FROM copy_incremental_runs'),
		'succeeded succeeded|500', "$name: the ledger");
	is($watcher->query_safe($held), 0, "$name: the place is free");
}
{
	# What a run has written in part is not seen whole, either.
	my $name = 'REPEATABLE READ begun between batches';
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(42)');
	my $run = start_batches($name, 'replace', 'SET test.wait = 350');
	my $old = start_client($destination, 'old', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT FROM keyed LIMIT 0',
		'SELECT FROM pg_advisory_xact_lock_shared(42)', call('replace', target => q('keyed')));
	ok(poll_session($watcher, q(SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory'), 2),
		"$name: it has its snapshot");
	$holder->quit;
	ends_with("$name: the procedure", $run, '00000', '');
	ends_with("$name: refused", $old, '40001', '');
	rows_are($name, 500, 'keyed');
}
{
	my $name = 'batches that fail';
	start_anew();
	my ($session) = open_session($destination);
	$session->query_safe('SET test.fail = 350');
	start_call($session, batches('upsert'));
	my ($sqlstate, $said) = end_of_call($session);
	is($sqlstate, 'P0001', "$name: the error") or diag($said);
	is($watcher->query_safe($held), 0, "$name: the place is free");
	rows_are($name, 300, 'keyed');
	is($destination->safe_psql('postgres', call('upsert', target => q('keyed'))), 200, "$name: another session completes");
	$session->query_safe('RESET test.fail');
	$session->query_safe(batches('upsert'));
	rows_are("$name: the same session again", 500, 'keyed');
	$session->quit;
}
for my $case ([ cancel => '57014' ], [ terminate => '57P01' ], [ 'source lost' => '08006' ], [ kill => 'lost' ])
{
	my ($action, $sqlstate) = @$case;
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(42)');
	my $name = "batches, $action";
	my $run = start_batches($name, 'upsert', 'SET test.wait = 350');
	if ($action eq 'kill')
	{
		my $offset = -s $destination->logfile;
		kill 'KILL', $watcher->query_safe("SELECT pid FROM pg_stat_activity WHERE $is_batches");
		$destination->wait_for_log(qr/all server processes terminated; reinitializing/, $offset);
		wait_until($destination, 'SELECT 1', 1);
		ends_with("$name: the procedure", $run, $sqlstate, '');
		($watcher) = open_session($destination);
	}
	else
	{
		my $second = start_second($name, call('upsert', target => q('keyed')));
		my $lost = $action eq 'source lost';
		my $terminate = q(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'etl_reader');
		$lost
		  ? $source->safe_psql('postgres', $terminate)
		  : $watcher->query_safe("SELECT pg_${action}_backend(pid) FROM pg_stat_activity WHERE $is_batches");
		$holder->quit;
		my $said = ends_with("$name: the procedure", $run, $sqlstate, '');
		like($said, qr/HINT:  The batches committed before stay written; run again\./, "$name: hint") if $lost;
		# What had come from the source before it was lost may be written.
		ends_with("$name: the second completes", $second, '00000', $lost ? undef : 200);
	}
	is($destination->safe_psql('postgres', $held), 0, "$name: the place is free");
	my $left = $action eq 'kill' ? 200 : 0;
	is($destination->safe_psql('postgres', call('upsert', target => q('keyed'))), $left, "$name: again");
	rows_are($name, 500, 'keyed');
}

no_session_left($source, 'no session is left at the source');
$destination->stop;
unlike(slurp_file($destination->logfile), qr/deadlock detected/, 'nobody ran into a deadlock');
kills_were_ours($destination, 1, 'the server lost the killed process and no other');
done_testing();
