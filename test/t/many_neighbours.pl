# Background workers and the ledger among other sessions: statistics and time of workers, transactions that stay open,
# how many workers run, standbys, triggers that release advisory locks, databases that are dropped.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'UTC'\n",
	destination => "timezone = 'UTC'\nwal_level = replica\nmax_wal_senders = 5\nautovacuum = off\nlock_timeout = '10min'\n");

sub results { return one_line($destination, 'default', @_); }
sub start { my ($query, $day, @more) = @_; return job_sql('start', $query, $day, on_rerun => "'run'", target => "'job'", @more); }
sub backfill
{
	my ($query, $last, @more) = @_;
	return define_job('days', $query, first_day => "'2018-07-01'", target => "'job'")
	  . sprintf(q[; CALL copy_incremental_backfill('days', '2018-07-01', '2018-07-%02d'%s)], $last, join '', map { ", $_" } @more);
}

my $create = 'CREATE TABLE job (id int, day date, at timestamptz DEFAULT now())';
$source->safe_psql('postgres', <<SQL);
	CREATE TABLE job (id int PRIMARY KEY, day date);
	INSERT INTO job SELECT g, date '2018-07-01' + g / 1000 FROM generate_series(0, 9999) AS g; ANALYZE job;
	CREATE FUNCTION wait(n int) RETURNS boolean LANGUAGE plpgsql AS \$\$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END\$\$;
SQL
$destination->safe_psql('postgres', $create);
$destination->safe_psql('template1', 'CREATE DATABASE other TEMPLATE postgres');
my $query = 'SELECT * FROM job WHERE day = $1 ORDER BY id';
my $waits = 'SELECT * FROM job WHERE day = $1 AND (id % 1000 < 700 OR wait(id)) ORDER BY id';
my $workers = q[SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'copy_incremental'];
my ($holder) = open_session($source);
my $hold = sub { $holder->query_safe('SELECT pg_advisory_lock(7)') };
my $free = sub { $holder->query_safe('SELECT pg_advisory_unlock_all()') };
my $all_gone = sub { return ok(wait_until($destination, "SELECT ($workers) = 0"), "$_[0]: no worker is left") };

# Workers: now(), statistics, what pg_stat_activity shows.
$hold->();
my ($leader) = open_session($destination);
$leader->query_safe(q[SET application_name = 'nightly']);
start_call($leader, backfill('SELECT * FROM job WHERE day = $1 AND (id < 6000 OR wait(id)) AND 1 / (id - 2500) IS NOT NULL', 7, 'workers => 2'));
ok(wait_until($destination, q[SELECT n_tup_ins = 5000 FROM pg_stat_user_tables WHERE relname = 'job']), 'statistics of workers: known while they run');
is(results(q[SELECT application_name, query, state, xact_start >= backend_start, query_start = xact_start FROM pg_stat_activity
	WHERE backend_type = 'copy_incremental']), 'nightly|copy_incremental: 2018-07-07 into job|active|t|t', 'pg_stat_activity of a worker');
$free->();
is((end_of_call($leader))[0], '22012', 'a day failed');
is(results('SELECT count(DISTINCT at), count(DISTINCT day) FROM job'), '6|6', 'now() is that of the day');
$leader->quit;

# A trigger of the target that releases all advisory locks does not make a run look crashed.
results('CREATE FUNCTION unlock() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_unlock_all(); RETURN NEW; END$$',
	'CREATE TRIGGER unlock BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION unlock()');
$hold->();
my $run = results(start($waits, '2018-07-01', batch => 100));
is(results("SELECT query FROM pg_stat_activity WHERE backend_type = 'copy_incremental'"), "copy_incremental: 2018-07-01 into job, run $run",
	'pg_stat_activity of a started run');
ok(wait_until($destination, "SELECT rows_written >= 100 FROM copy_incremental_progress WHERE run_id = $run"), 'unlock all: the trigger has fired');
is(results("SELECT copy_incremental_wait($run, '0')"), 'f', 'unlock all: the run is known to run');

# A standby sees the entry, but not the process.
$destination->backup('of_destination');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($destination, 'of_destination', has_streaming => 1);
$standby->start;
is(one_line($standby, 'default', "SELECT copy_incremental_wait($run, '0')"), 'f', 'standby: the run is not taken for crashed');
fails_with($standby, "SELECT copy_incremental_cancel($run)", '25006', qr/cannot cancel a run during recovery/, 'standby: cancel');
$free->();
is(results("SELECT copy_incremental_wait($run)"), 't', 'unlock all: the run succeeds');
is(one_line($standby, 'default', "SELECT copy_incremental_wait($run)"), 't', 'standby: wait ends with the run');
$standby->stop;

# Nor does it let another call of the procedure in between batches.
results('DELETE FROM pgci_runs');
$hold->();
my $batches = by_batches(copy_sql($waits, '2018-07-02', target => "'job'", batch => 100, on_rerun => "'skip'"));
my @callers = map { (open_session($destination))[0] } 1, 2;
start_call($callers[0], $batches);
ok(wait_until($destination, q[SELECT batches >= 1 FROM copy_incremental_progress]), 'unlock all: batches are committed');
start_call($callers[1], $batches);
ok(wait_until($destination, 'SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND objsubid = 71'), 'unlock all: the second call waits for the first');
$free->();
$_->query_safe('SELECT 1') for @callers;
$_->quit for @callers;
results('DROP TRIGGER unlock ON job');

# The end of a run whose worker was terminated, in a transaction that stays open.
$hold->();
$run = results(start($waits, '2018-07-03'));
results("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'copy_incremental'");
$all_gone->('terminated');
$free->();
my ($idle) = open_session($destination);
is($idle->query_safe("BEGIN; SELECT copy_incremental_cancel($run)"), 'f', 'a transaction cancels a run that crashed, and stays open');
is(results("SELECT status FROM copy_incremental_runs WHERE run_id = $run"), 'crashed', 'others see it as crashed at once');
$hold->();
$run = results(start($waits, '2018-07-03'));
results("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'copy_incremental'");
$all_gone->('terminated again');
$free->();
is($idle->query_safe("SELECT run_id FROM pgci_runs WHERE run_id = $run FOR UPDATE"), $run, 'a transaction locks its entry');
my $patience = "SET statement_timeout = '30s'";
is(results($patience, "SELECT copy_incremental_cancel($run)"), 'f', 'an open transaction: cancel');
like(results($patience, "SELECT copy_incremental_wait($run, '1 s')"), qr/ERROR:  run $run crashed/, 'an open transaction: wait');
like(results($patience, backfill($query, 4)), qr/NOTICE:  job "days": \d windows?, \d000 rows/, 'an open transaction: backfill');
my $next = results($patience, start($query, '2018-07-05'));
is(results($patience, "SELECT copy_incremental_wait($next)"), 't', 'an open transaction: start');
$idle->query_safe('ROLLBACK');
is(results("SELECT copy_incremental_cancel($run)", "SELECT status FROM copy_incremental_runs WHERE run_id = $run"), 'f crashed', 'its end: the entry is marked');
$idle->quit;

# How many workers run: half of max_worker_processes, in all databases together.
$all_gone->('before they are counted');
$hold->();
my $elsewhere = $destination->safe_psql('other', start($waits, '2018-07-01'));
my @runs = map { results(start($waits, "2018-07-0$_")) } 6, 7, 9;
like("$elsewhere @runs", qr/^\d+ \d+ \d+ \d+$/, 'four of eight workers run');
like(fails_with($destination, start($waits, '2018-07-08'), '53000', qr/no background worker slot is free/, 'not a fifth'),
	qr/HINT:  Raise copy_incremental\.max_workers, or wait/, 'the hint names the setting');
results(q[DELETE FROM pgci_runs WHERE status <> 'running']);
like(results('DELETE FROM pgci_coverage', backfill($query, 5, 'workers => 2')), qr/^NOTICE:  job "[^"]+": 0 of 2 background workers could be started.*copy_incremental\.max_workers.* job "days": 5 windows, 5000 rows$/,
	'a backfill goes on in its session');
like(results(q[SET copy_incremental.max_workers = 5], start($query, '2018-07-08')), qr/^\d+$/, 'the setting lets a fifth run');
like(results('LOAD $$pg_copy_incremental$$', 'CREATE ROLE someone', 'SET ROLE someone', 'SET copy_incremental.max_workers = 9'), qr/ERROR:  permission denied to set parameter/,
	'only superusers set it');
results('CREATE DATABASE short_lived', 'DROP DATABASE short_lived');
is(results(q[SELECT count(*) FROM pg_database WHERE datname = 'short_lived']), 0, 'workers that wait do not keep a database from being dropped');
results('DROP DATABASE other WITH (FORCE)');
is(results(q[SELECT count(*) FROM pg_database WHERE datname = 'other']), 0, 'nor their own from being dropped by force');
is(results("SELECT copy_incremental_cancel($_)"), 't', 'cancelled') for @runs;
$free->();
$all_gone->('cancelled');
fails_with($destination, 'SET copy_incremental.max_workers = 0; ' . start($query, '2018-07-08'), '53000', qr/no background worker slot is free/, 'no worker at all');
$holder->quit;
no_session_left($source, 'nothing is left at the source');

done_testing();
