# copy_incremental_start(), _wait() and _cancel(), what the ledger says of such runs, and copy_incremental_progress.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(
	source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\nrestart_after_crash = on\nlog_statement = none\n");

sub results { return one_line($destination, 'default', @_); }
sub start { return job_sql('start', @_); }

my $create = 'CREATE TABLE job (id int PRIMARY KEY, day date, value int)';
my $wait = 'CREATE FUNCTION wait(n int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN true; END$$';
$source->safe_psql('postgres', "$create; $wait; INSERT INTO job SELECT g, date '2018-07-01' + g / 1000, g FROM generate_series(0, 9999) AS g; ANALYZE job");
$destination->safe_psql('postgres', $create);
my $query = 'SELECT * FROM job WHERE day = $1 ORDER BY id';
my $waits = 'SELECT * FROM job WHERE day = $1 AND (id % 1000 < 700 OR wait(id)) ORDER BY id';
my $row = sub { return "SELECT concat_ws(' ', status, sqlstate, rows_written, message, username = current_user) FROM copy_incremental_runs WHERE run_id = $_[0]"; };
my $workers = q[SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'copy_incremental'];
my ($holder) = open_session($source);
my $hold = sub { $holder->query_safe('SELECT pg_advisory_lock(7)') };
my $free = sub { $holder->query_safe('SELECT pg_advisory_unlock_all()') };

# Start, wait, done.
my $run = results(start($query, '2018-07-01'));
like($run, qr/^\d+$/, 'start returns a number');
is(results("SELECT copy_incremental_wait($run)", $row->($run), 'SELECT count(*) FROM job'), 't succeeded 1000 t 1000', 'wait, and what the ledger says');
is(results("SELECT copy_incremental_wait($run, '0')", "SELECT copy_incremental_cancel($run)"), 't f', 'after its end');
is(results("SELECT source_tables FROM copy_incremental_runs WHERE run_id = $run"), '{public.job}', 'the entry has the tables of the query');
fails_with($destination, copy_sql('SELECT id, day, value FROM job WHERE day = $1', '2018-07-01', on_rerun => "'error'"), 'PI001', qr/already loaded/, 'so another query over them is refused');

# A window that is not a day.
my @days = ('SELECT * FROM job WHERE day >= $1 AND day < $2', '2018-07-01', mode => "'upsert'");
my $range = sub { return start(@days) =~ s/copy_incremental_start\((.*?), '2018-07-01'\)/copy_incremental_start_range($1, '$_[0]')/r };
$run = results($range->('[2018-06-29,2018-07-02)'));
is(results("SELECT copy_incremental_wait($run)", "SELECT status, rows_read, data_interval FROM copy_incremental_runs WHERE run_id = $run"),
	't succeeded|1000|["2018-06-29 00:00:00+00","2018-07-02 00:00:00+00")', 'start_range: the window of the entry');
fails_with($destination, $range->('[2018-07-01,)'), '22023', qr/data_interval must have a start and an end/, 'start_range: an unbounded range');

# lookback: the entry is of the larger window, as the run is.
$run = results(start('SELECT * FROM job WHERE day >= $1 AND day < $2', '2018-07-01', mode => "'upsert'", lookback => 3));
is(results("SELECT copy_incremental_wait($run)", "SELECT status, rows_read, data_interval FROM copy_incremental_runs WHERE run_id = $run"),
	't succeeded|1000|["2018-06-28 00:00:00+00","2018-07-02 00:00:00+00")', 'lookback: the window of the entry');

# The session that started it may go; another one sees it, waits for it, sees its progress.
$hold->();
$run = results(start($waits, '2018-07-02', batch => 100));
is(results($row->($run), "SELECT copy_incremental_wait($run, '0')", "SELECT copy_incremental_wait($run, '200 milliseconds')"), 'running 0 t f f',
	'the entry is there from the start; wait ends with its timeout');
ok(wait_until($destination, "SELECT rows_read >= 500 FROM copy_incremental_progress WHERE run_id = $run"), 'progress: rows');
like(results("SELECT username = current_user, target, data_interval, rows_read = rows_written, bytes > rows_read * 8, batches, estimated_rows, percent, rows_per_second > 0, eta >= '0', seconds >= 0, leader_pid IS NOT NULL
	FROM copy_incremental_progress"),
	qr/^t\|job\|\["2018-07-02 00:00:00\+00","2018-07-03 00:00:00\+00"\)\|t\|t\|[5-7]\|[1-9]\d*\|\d+(\.\d)?\|t\|t\|t\|t$/, 'progress: all columns');
like(results('SELECT relid::regclass, command, type, tuples_processed >= 500 FROM pg_stat_progress_copy'), qr/^job\|COPY FROM\|CALLBACK\|t$/, 'pg_stat_progress_copy');
results('CREATE ROLE other LOGIN', 'GRANT EXECUTE ON FUNCTION copy_incremental_wait, copy_incremental_cancel TO other');
is(results('SET ROLE other', 'SELECT count(*) FROM copy_incremental_progress', 'SELECT count(*) FROM copy_incremental_runs'), '0 0', 'another user sees neither');
for my $function ('wait', 'cancel')
{
	fails_with($destination, "SET ROLE other; SELECT copy_incremental_$function($run)", '42501', qr/permission denied for run $run/, "$function: another user's run");
	fails_with($destination, "SELECT copy_incremental_$function(0)", '42704', qr/run 0 does not exist/, "$function: no such run");
	fails_with($destination, "SELECT copy_incremental_$function(NULL)", '22004', qr/"run_id" must not be null/, "$function: NULL");
}
fails_with($destination, "SELECT copy_incremental_wait($run, '-1 s')", '22023', qr/timeout must not be negative/, 'wait: negative');
$free->();
is(results("SELECT copy_incremental_wait($run)", $row->($run), 'SELECT count(*) FROM copy_incremental_progress'), 't succeeded 1000 t 0', 'it ends by itself');
ok(wait_until($destination, "SELECT ($workers) = 0"), 'and so does its worker');

# Cancel; statement_timeout; a failure later than the first row.
$hold->();
$run = results(start($waits, '2018-07-03', batch => 100));
is(results("SELECT copy_incremental_cancel($run)"), 't', 'cancel');
like(fails_with($destination, "SELECT copy_incremental_wait($run)", '57014', qr/canceling statement due to user request/, 'wait: the error of the run'), qr/./, 'cancelled');
is(results($row->($run)), 'failed 57014 0 canceling statement due to user request t', 'cancelled: the ledger');
$run = results("SET statement_timeout = '500ms'", start($waits, '2018-07-03', batch => 100));
fails_with($destination, "SELECT copy_incremental_wait($run)", '57014', qr/canceling statement due to statement timeout/, 'statement_timeout of the session');
$free->();
no_session_left($source, 'nothing is left at the source');
$run = results(start('SELECT id, day, 1 / (id - 3500) AS value FROM job WHERE day = $1', '2018-07-04', batch => 100));
fails_with($destination, "SELECT copy_incremental_wait($run)", '22012', qr/division by zero/, 'an error at the source');
is(results($row->($run), "SELECT count(*) FROM job WHERE day > '2018-07-02'"), 'failed 22012 0 division by zero t 0', 'an error at the source: the ledger, and no row');
is(results('ALTER TABLE job ADD CONSTRAINT c CHECK (id <> 3500)', start($query, '2018-07-04') =~ s/SELECT \* FROM (copy_incremental_start.*)$/SELECT copy_incremental_wait($1, '1min')/r) =~ s/.*ERROR:  (.*?)"c".*/$1/r,
	'new row for relation "job" violates check constraint ', 'a constraint');

# The error of the run has its detail and its hint.
results(q[CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no row today' USING DETAIL = 'It is Sunday.', HINT = 'Come again.', ERRCODE = 'P0S01'; END$$],
	'CREATE TABLE closed (LIKE job)', 'CREATE TRIGGER refuse BEFORE INSERT ON closed FOR EACH ROW EXECUTE FUNCTION refuse()');
$run = results(start($query, '2018-07-05', target => "'closed'"));
fails_with($destination, "SELECT copy_incremental_wait($run)", 'P0S01', qr/no row today\nDETAIL:  It is Sunday\.\nHINT:  Come again\./, 'wait: detail and hint');
is(results("SELECT detail, hint FROM copy_incremental_runs WHERE run_id = $run"), 'It is Sunday.|Come again.', 'and so does its entry');

# What is wrong at once is an error of start, and recorded as a run that failed.
results(define_job('late', $query, first_day => "'2018-07-01'", target => "'job'"));
my $late = "SELECT copy_incremental_start('late', '2018-07-05')";
for my $case (
	[ 'no server', "ALTER SERVER src OPTIONS (SET port '1'); $late", '08001', qr/could not connect/, 'failed 08001', "ALTER SERVER src OPTIONS (SET port '" . $source->port . q[')] ],
	[ 'no column', "ALTER TABLE job RENAME value TO other; $late", '42804', qr/value/, 'failed 42804', 'ALTER TABLE job RENAME other TO value' ],
	[ 'a lock of its own transaction', "BEGIN; LOCK TABLE job; $late", '55P03', qr/lock timeout/, undef, 'SELECT' ])
{
	my ($name, $sql, $sqlstate, $message, $entry, $repair) = @$case;
	fails_with($destination, $sql, $sqlstate, $message, "refused by start: $name");
	is(results(q[SELECT concat_ws(' ', status, sqlstate) FROM copy_incremental_runs WHERE job = 'late' ORDER BY run_id DESC LIMIT 1]), $entry, "refused by start: $name: recorded") if $entry;
	results($repair);
}
for my $case (
	[ 'no job', "SELECT copy_incremental_start('letter', '2018-07-05')", '42704', qr/job "letter" does not exist/ ],
	[ 'no day', "SELECT copy_incremental_start('late', NULL)", '22004', qr/"day" must not be null/ ])
{
	my ($name, $sql, $sqlstate, $message) = @$case;
	fails_with($destination, $sql, $sqlstate, $message, "refused by start: $name");
}
results(define_job('again', $query, first_day => "'2018-07-01'", target => "'job'", on_rerun => "'skip'"), 'TRUNCATE job');
my $again = "SELECT copy_incremental_start('again', '2018-07-01')";
results('SELECT copy_incremental_wait(' . $again =~ s/^SELECT //r . ')');
$run = results($again);
is(results("SELECT copy_incremental_wait($run)", $row->($run)), 't skipped 0 t', 'a window that is there: skipped');
$run = results(define_job('again', $query, first_day => "'2018-07-01'", target => "'job'"), $again);
fails_with($destination, "SELECT copy_incremental_wait($run)", 'PI001', qr/window 2018-07-01 of job "again" into \S+ was already loaded/, 'a window that is there: an error');
is(results("BEGIN; SELECT copy_incremental_wait(copy_incremental_start('again', '2018-07-06')); ROLLBACK", "SELECT count(*) FROM job WHERE day = '2018-07-06'"), 't 1000',
	'a run does not depend on the transaction that started it');
my $trusted = "'host=127.0.0.1 dbname=postgres user=etl_trusted port=" . $source->port . q['];
$run = results(start($query, '2018-07-07', src_conninfo => $trusted));
is(results("SELECT copy_incremental_wait($run)", "SELECT source FROM copy_incremental_runs WHERE run_id = $run"), 't 127.0.0.1:' . $source->port . '/postgres', 'a connection string');

# A worker that is terminated, and a server that crashes: crashed, found by whoever looks.
for my $case ([ 'terminated', '2018-07-08', 0 ], [ 'killed', '2018-07-09', 1 ])
{
	my ($name, $day, $kills) = @$case;
	$hold->();
	$run = results(start($waits, $day, batch => 100));
	my $pid = results("SELECT pid FROM pg_stat_activity WHERE backend_type = 'copy_incremental' AND query LIKE '%run $run'");
	ok(wait_until($source, q[SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory']), "$name: the run waits");
	$kills ? kill('KILL', $pid) : results("SELECT pg_terminate_backend($pid)");
	wait_until($destination, 'SELECT true') if $kills;
	ok(wait_until($destination, "SELECT ($workers) = 0"), "$name: the worker is gone");
	is(results($row->($run)), 'running 0 t', "$name: the ledger does not know yet");
	fails_with($destination, "SELECT copy_incremental_wait($run)", '57P02', qr/run $run crashed/, "$name: wait does");
	is(results($row->($run)), 'crashed 0 the server or the background worker ended before the run did t', "$name: and the ledger then");
	is(results("SELECT copy_incremental_cancel($run)"), 'f', "$name: there is nothing to cancel");
	$free->();
	$run = results(start($query, $day, mode => "'skip'"));
	is(results("SELECT copy_incremental_wait($run)"), 't', "$name: once more");
}
results('ALTER SYSTEM SET max_worker_processes = 0');
$destination->restart;
fails_with($destination, start($query, '2018-07-10'), '53000',
	qr/no background worker slot is free\nDETAIL:  The server has 0 background worker slots \(max_worker_processes\).*\nHINT:  Raise max_worker_processes, and restart/, 'no slot: max_worker_processes is 0');
fails_with($destination, "LOAD 'pg_copy_incremental'; SET copy_incremental.max_workers = 0; " . start($query, '2018-07-10'), '53000',
	qr/no background worker slot is free\nDETAIL:  copy_incremental.max_workers allows 0 .*\nHINT:  Raise copy_incremental.max_workers\./, 'no slot: copy_incremental.max_workers is 0');
results('ALTER SYSTEM SET max_worker_processes = 1');    # the launcher of logical replication takes it
$destination->restart;
fails_with($destination, start($query, '2018-07-10'), '53000',
	qr/no background worker slot is free\nDETAIL:  The server has 1 background worker slot.*\nHINT:  Raise max_worker_processes, or wait/, 'no slot: all are taken');
$holder->quit;
$destination->stop;
kills_were_ours($destination, 1, 'no other process was killed');

done_testing();
