# max_rows_per_second and max_replica_lag: a run reads no faster, and not while replicas of the source are behind. All waits can be
# cancelled. copy_incremental_progress shows the age of the source's snapshot.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "wal_level = replica\nmax_wal_senders = 4\nlog_statement = 'all'\n");
on_both('CREATE TABLE rows (id int, at timestamptz)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT g, '2018-07-29 12:00+00' FROM generate_series(1, 40) AS g; CREATE TABLE filler (v text)]);
$destination->safe_psql('postgres', 'CREATE PROCEDURE timed(call text, at_least interval) LANGUAGE plpgsql AS $$ DECLARE began timestamptz := clock_timestamp(); BEGIN EXECUTE call; IF clock_timestamp() - began < at_least THEN RAISE \'too fast\'; END IF; END $$');
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub load { my (%option) = @_; return copy_sql('SELECT * FROM rows', undef, target => "'rows'", %option) }
sub begin { return value('TRUNCATE rows, pgci_runs') }

# The rate: 40 rows at 100 a second need at least 0.3 seconds, because a run may be 0.1 seconds early.
for my $method (qw(cursor copy))
{
	begin();
	value('CALL timed($timed$' . load(max_rows_per_second => 100, method => "'$method'") . q[$timed$, '0.25 s')]);
	is(value('SELECT count(*), count(DISTINCT id) FROM rows'), '40|40', "$method: all rows, not too fast");
	begin();
	is(value(load(max_rows_per_second => 1000000, method => "'$method'")), 40, "$method: a rate that is not reached");
}
begin();
my $before = -s $source->logfile;
is(value(load(max_rows_per_second => 200, batch => 15)), 40, 'the size of a FETCH');
my $log = slurp_file($source->logfile, $before);
my @fetches = $log =~ /FETCH FORWARD (\d+)/g;
ok(@fetches >= 4 && !grep({ $_ > 10 } @fetches), 'a FETCH has a twentieth of a second') or diag("@fetches");
begin();
is(value(load(max_rows_per_second => 2000, mode => "'replace'", replace_where => "'true'", on_error => "'reject'", verify => 'false')), 40, 'with other options');

# A run that waits can be cancelled, and shows how old its snapshot is.
my ($session, $pid) = open_session($destination);
for my $method (qw(cursor copy))
{
	begin();
	start_call($session, load(max_rows_per_second => 1, method => "'$method'"));
	ok(wait_until($destination, "SELECT state = 'copying' AND source_snapshot_age > '0.5 s' AND source_snapshot_age < '1 day' FROM copy_incremental_progress WHERE pid = $pid"), "$method: the age of the snapshot");
	value("SELECT pg_cancel_backend($pid)");
	is((end_of_call($session))[0], '57014', "$method: a cancel");
}
no_session_left($source, 'nothing is left of them');

# Arguments
fails_with($destination, load(max_rows_per_second => 0), '22023', qr/max_rows_per_second must be at least 1/, 'no rows');
fails_with($destination, load(max_rows_per_second => -1), '22023', qr/max_rows_per_second must not be negative/, 'a negative rate');
fails_with($destination, load(max_replica_lag => "'$_'"), '22023', qr/invalid value for argument "max_replica_lag": "$_"/, "no size: $_") for 'much', '0', '-1MB', '1e30TB';
fails_with($destination, load(max_replica_lag => "'1MB'", method => "'copy'"), '0A000', qr/max_replica_lag needs method cursor/, 'the connection of a COPY is busy');

# Replicas
fails_with($destination, load(max_replica_lag => "'1MB'"), '42501', qr/role may not see how far replicas are behind.*GRANT pg_read_all_stats/s, 'a role that sees no replicas');
$source->safe_psql('postgres', 'GRANT pg_read_all_stats TO etl_reader');
begin();
is(value(load(max_replica_lag => "'1MB'")), 40, 'no replica');
$source->backup('backup');
my $standby = new_source('standby');
$standby->init_from_backup($source, 'backup', has_streaming => 1);
$standby->start;
$source->wait_for_catchup($standby);
begin();
is(value(load(max_replica_lag => "'16MB'", batch => 7)), 40, 'a replica that is not behind');
$standby->safe_psql('postgres', 'SELECT pg_wal_replay_pause()');
$source->safe_psql('postgres', q[INSERT INTO filler SELECT repeat('x', 1000) FROM generate_series(1, 4000)]);
begin();
for my $end (qw(cancel resume))
{
	start_call($session, 'SET client_min_messages = notice; ' . load(max_replica_lag => "'1MB'"));
	ok(wait_until($destination, "SELECT state = 'waiting for replicas' FROM copy_incremental_progress WHERE pid = $pid"), "$end: the run waits");
	if ($end eq 'cancel')
	{
		value("SELECT pg_cancel_backend($pid)");
		my ($state, $said) = end_of_call($session);
		is($state, '57014', 'a cancel ends the wait');
		like($said, qr/NOTICE:  00000: copying into public\.rows waits for replicas of the source\nDETAIL:  One of them is \d+ bytes of WAL behind\.\nHINT:  max_replica_lag says/, 'the wait is told');
	}
	else
	{
		$standby->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
		is($session->query('SELECT count(*) FROM rows') =~ s/.*\n//sr, 40, 'it goes on when the replica has caught up');
	}
}
$session->quit;
# A job stores the options; repair reads by a cursor, too.
begin();
value(define_job('job', 'SELECT * FROM rows', window_column => "'at'", first_day => "'2018-07-29'", time_zone => "'UTC'", target => "'rows'", max_rows_per_second => 500, max_replica_lag => "'16MB'", lag => "now() - '2018-07-30 00:00+00'"));
is(value(q[SELECT options - 'window_column' FROM copy_incremental_jobs]), '{"max_replica_lag": "16MB", "max_rows_per_second": 500}', 'the options of a job');
value(q[CALL copy_incremental_catch_up('job', 2); TRUNCATE rows; DO 'BEGIN PERFORM copy_incremental_repair(''job'', ''2018-07-29'', ''2018-07-29''); END']);
is(value('SELECT count(*) FROM rows'), 40, 'catch_up and repair');

$standby->stop;
no_session_left($source, 'no session is left at the source');
done_testing();
