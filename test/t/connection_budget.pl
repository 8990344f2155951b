# copy_incremental.max_source_connections: runs of a database have no more connections to a source; the others wait. A source that
# refuses a connection makes the pool of a backfill smaller, and no window is lost.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(destination => "max_worker_processes = 20\ncopy_incremental.max_source_connections = 2\nsession_preload_libraries = 'pg_copy_incremental'\n");
on_both('CREATE TABLE rows (id int, at timestamptz)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT n, timestamptz '2018-07-01 00:30+00' + n * interval '1 hour' FROM generate_series(0, 191) AS n]);
$destination->safe_psql('postgres', <<~'SQL');
	CREATE TABLE other (id int);
	CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NEW; END $$;
	CREATE TRIGGER hold BEFORE INSERT ON rows FOR EACH STATEMENT EXECUTE FUNCTION hold();
	SQL
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
my $at_source = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'etl_reader'";
sub begin
{
	value('TRUNCATE rows, pgci_runs, pgci_jobs, pgci_coverage');
	return value(define_job('job', 'SELECT * FROM rows', window_column => "'at'", first_day => "'2018-07-01'", time_zone => "'UTC'", target => "'rows'", lag => "now() - '2018-07-09 00:00+00'"));
}
my $waiting = q[SELECT count(*) FROM copy_incremental_progress WHERE state = 'waiting for a connection'];

# Six workers, and a limit of two
begin();
my ($locker) = open_session($destination);
$locker->query_safe('SELECT pg_advisory_lock(4711)');
my ($session) = open_session($destination);
start_call($session, q[CALL copy_incremental_backfill('job', '2018-07-01', '2018-07-08', 6)]);
ok(wait_until($destination, "SELECT ($waiting) = 4"), 'four of six workers wait, and say so');
is($source->safe_psql('postgres', $at_source), '2', 'the source has two connections');
is(value(q[SELECT count(*) FILTER (WHERE state = 'copying'), count(*) FILTER (WHERE run_id IS NULL), count(DISTINCT target) FROM copy_incremental_progress]), '2|4|1', 'the others copy');
is(value(q[SELECT running FROM copy_incremental_jobs]), '2', 'only these are runs under way');

# A call waits too, and a cancel ends its wait. A process that ends gives its connection back.
my ($waiter, $pid) = open_session($destination);
start_call($waiter, copy_sql('SELECT 1 AS id', undef, target => "'other'"));
ok(wait_until($destination, "SELECT state = 'waiting for a connection' FROM copy_incremental_progress WHERE pid = $pid"), 'a call waits');
value("SELECT pg_cancel_backend($pid)");
is((end_of_call($waiter))[0], '57014', 'a cancel ends the wait');
start_call($waiter, q[SET statement_timeout = '300ms'; ] . copy_sql('SELECT 1 AS id', undef, target => "'other'"));
is((end_of_call($waiter))[0], '57014', 'and so does a timeout');
$waiter->quit;
value(q[SELECT pg_terminate_backend(pid) FROM copy_incremental_progress WHERE state = 'copying' LIMIT 1]);
ok(wait_until($destination, "SELECT ($waiting) = 3"), 'a worker that is terminated gives its connection back');
$locker->query_safe('SELECT pg_advisory_unlock(4711)');
$session->query('SELECT 1');
$session->{stderr} = '';
value(q[CALL copy_incremental_catch_up('job')]);
is(value('SELECT count(*), count(DISTINCT id) FROM rows'), '192|192', 'all windows are loaded, once');
no_session_left($source, 'no session is left at the source');

# Two connections in one process: a limit of one is enough for a job whose target the query names, and for lookback with workers.
value(q[ALTER SYSTEM SET copy_incremental.max_source_connections = 1; SELECT pg_reload_conf()]);
ok(wait_until($destination, q[SELECT current_setting('copy_incremental.max_source_connections') = '1']), 'a limit of one');
value('TRUNCATE rows, pgci_runs, pgci_jobs, pgci_coverage');
value(define_job('job', 'SELECT * FROM rows', window_column => "'at'", first_day => "'2018-07-01'", time_zone => "'UTC'", target => "'rows'", mode => "'replace'", lookback => 1, lag => "now() - '2018-07-09 00:00+00'"));
value(q[CALL copy_incremental_catch_up('job', 4)]);
is(value('SELECT count(*), count(DISTINCT id) FROM rows'), '192|192', 'workers with a limit of one');
is(value('TRUNCATE rows, pgci_runs; ' . copy_sql('SELECT * FROM rows', undef)), '192', 'a call whose query names the target');
$destination->psql('postgres', 'SET ROLE pg_monitor; SET copy_incremental.max_source_connections = 5', stderr => \my $error);
like($error, qr/permission denied to set parameter/, 'only superusers set it');

# The source refuses (case U3): limit 2, workers 6, 8 days.
value(q[ALTER SYSTEM SET copy_incremental.max_source_connections = 0; SELECT pg_reload_conf()]);
ok(wait_until($destination, q[SELECT current_setting('copy_incremental.max_source_connections') = '0']), 'no limit here');
begin();
$source->safe_psql('postgres', 'ALTER ROLE etl_reader CONNECTION LIMIT 2');
$locker->query_safe('SELECT pg_advisory_lock(4711)');
start_call($session, q[SET client_min_messages = notice; CALL copy_incremental_backfill('job', '2018-07-01', '2018-07-08', 6)]);
ok(wait_until($destination, q[SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'copy_incremental']), 'workers without a connection end');
$locker->query_safe('SELECT pg_advisory_unlock(4711)');
$session->query('SELECT 1');
like($session->{stderr}, qr/NOTICE:  00000: job "[^"]+": the source accepts no more connections, so fewer workers load the windows/, 'a NOTICE says so');
like($session->{stderr}, qr/NOTICE:  00000: job "job": 8 windows, 192 rows/, 'all days are loaded');
is(value(q[SELECT count(*), count(*) FILTER (WHERE status = 'succeeded') FROM copy_incremental_runs WHERE sqlstate IS DISTINCT FROM '53300']), '8|8', 'no window is used up');
$_->quit for $session, $locker;
done_testing();
