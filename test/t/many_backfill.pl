# CALL copy_incremental_backfill(): which windows of a job it loads, what becomes of a window that fails, and what it says.
use strict;
use warnings;

use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "timezone = 'UTC'\n", destination => "timezone = 'UTC'\n");

sub results { return one_line($destination, 'default', @_); }
sub define { my ($query, %argument) = @_; return define_job('job', $query, first_day => "'2018-07-01'", batch => 3, %argument) }

# A call over the first days of July; the arguments are the text of SQL.
sub backfill
{
	my ($last, @more) = @_;
	return sprintf(q[CALL copy_incremental_backfill('job', '2018-07-01', '2018-07-%02d'%s)], $last, join '', map { ", $_" } @more);
}

my $create = 'CREATE TABLE job (id int PRIMARY KEY, day date, value int)';
$source->safe_psql('postgres', "$create; INSERT INTO job SELECT g, date '2018-07-01' + g / 10, g FROM generate_series(0, 99) AS g");
$destination->safe_psql('postgres', $create);
my $query = 'SELECT * FROM job WHERE day = $1';
my $days = q[SELECT string_agg(concat(day - date '2018-06-30', ':', n), ' ' ORDER BY day)
	FROM (SELECT day, count(*) AS n FROM job GROUP BY day) AS d];
my $ledger = q[SELECT string_agg(concat(lower(data_interval)::date - date '2018-06-30', status, sqlstate), ' ' ORDER BY run_id)
	FROM copy_incremental_runs];
my $covered = 'SELECT covered FROM pgci_coverage';
my $line = sub { my ($windows, $rows, $more) = @_; return 'NOTICE:  job "job": ' . $windows . ($windows == 1 ? ' window' : ' windows') . ", $rows rows" . ($more // ''); };

# Every day, then only those that are missing.
is(results(define($query), backfill(3)), $line->(3, 30), 'one line says what was loaded');
is(results($days, $ledger), '1:10 2:10 3:10 1succeeded 2succeeded 3succeeded', 'every day is there, and in the ledger');
like(results('SET client_min_messages = debug1', backfill(4)), qr/DEBUG:  job "job": window 2018-07-04: 10 rows in \d+\.\d\d s /, 'a line for each window, for who asks for it');
is(results(backfill(4)), $line->(0, 0, ' DETAIL:  4 of 4 windows were loaded before.'), 'then none is missing');
is(results($days, $ledger, $covered), '1:10 2:10 3:10 4:10 1succeeded 2succeeded 3succeeded 4succeeded {["2018-07-01 00:00:00+00","2018-07-05 00:00:00+00")}', 'no day is there twice');
is(results(backfill(5)), $line->(1, 10, ' DETAIL:  4 of 5 windows were loaded before.'), 'only the missing day is loaded');

# Another job has windows of its own.
is(results(define_job('other', $query, first_day => "'2018-07-01'", mode => "'skip'"), backfill(1) =~ s/'job'/'other'/r), 'NOTICE:  job "other": 1 window, 0 rows', 'another job has its own windows');

# A day that fails: at the source, at a constraint, at a deferred constraint.
sub fresh { return ('TRUNCATE job', 'DELETE FROM pgci_runs', 'DELETE FROM pgci_coverage'); }
for my $case (
	[ 'at the source', 'SELECT id, day, 100 / (value - 15) AS value FROM job WHERE day = $1', undef, undef, '22012', 'division by zero' ],
	[ 'a constraint', $query, 'ALTER TABLE job ADD CONSTRAINT c CHECK (id <> 15)', 'ALTER TABLE job DROP CONSTRAINT c', '23514',
		'new row for relation "job" violates check constraint "c"' ],
	[ 'a deferred constraint', $query, 'CREATE TABLE ok (id int PRIMARY KEY); INSERT INTO ok SELECT g FROM generate_series(0, 99) AS g WHERE g <> 15;
		ALTER TABLE job ADD CONSTRAINT c FOREIGN KEY (value) REFERENCES ok DEFERRABLE INITIALLY DEFERRED',
		'ALTER TABLE job DROP CONSTRAINT c; DROP TABLE ok', '23503', 'insert or update on table "job" violates foreign key constraint "c"' ])
{
	my ($name, $sql, $break, $repair, $sqlstate, $message) = @$case;
	my $said = results(fresh(), $break // (), define($sql), backfill(4));
	like($said, qr/^WARNING:  job "job": window 2018-07-02 failed: \Q$message\E .*\Q${\$line->(3, 30, '; 1 failed')}\E/, "$name: the other days are loaded");
	like($said, qr/ERROR:  1 of 4 windows of job "job" failed DETAIL:  job "job", window 2018-07-02: \Q$message\E \(SQLSTATE $sqlstate\) HINT:  Windows that succeeded stay loaded\. Remove the cause and call again/,
		"$name: the error names the day");
	like((fails_with($destination, backfill(4), $sqlstate, qr/1 of 1 window of job "job" failed/, "$name: it has that SQLSTATE")),
		qr/WARNING:  $sqlstate: job "job": window 2018-07-02 failed/, "$name: and the WARNING");
	is(results($days, $ledger), "1:10 3:10 4:10 1succeeded 2failed$sqlstate 3succeeded 4succeeded 2failed$sqlstate",
		"$name: nothing of the day, its error in the ledger");
	is(results("SELECT DISTINCT job, message FROM copy_incremental_runs WHERE status = 'failed'"), "job|$message", "$name: with its message");
	$source->safe_psql('postgres', 'UPDATE job SET value = 0 WHERE id = 15') unless $break;
	is(results($repair // (), backfill(4)), $line->(1, 10, ' DETAIL:  3 of 4 windows were loaded before.'), "$name: the same call completes it");
	is(results("SELECT attempt FROM copy_incremental_runs WHERE data_interval @> '2018-07-02 12:00+00'::timestamptz ORDER BY run_id"), '1 2 3', "$name: the attempts are counted");
	$source->safe_psql('postgres', 'UPDATE job SET value = id') unless $break;
}

# reprocess.
results(fresh(), define($query), 'ALTER TABLE job ADD CONSTRAINT c CHECK (id NOT IN (5, 25))', backfill(3));
is(results('ALTER TABLE job DROP CONSTRAINT c', backfill(4, "reprocess => 'failed'")), $line->(2, 20, ' DETAIL:  2 of 4 windows failed before.'), 'failed: only the days that failed, not one that never ran');
is(results($days), '1:10 2:10 3:10', 'failed: they are there now');
is(results(backfill(4, "reprocess => 'failed'")), $line->(0, 0, ' DETAIL:  0 of 4 windows failed before.'), 'failed: no more');
like(results(backfill(4, "reprocess => 'all'")), qr/^ERROR:  reprocess => 'all' in mode append would load rows twice/, 'all: append is refused');
$source->safe_psql('postgres', 'UPDATE job SET value = -id');
is(results(define($query, mode => "'replace'", replace_where => q['day = $1']), backfill(4, "reprocess => 'all'")), $line->(4, 40), 'all: replace');
is(results($days, 'SELECT sum(value) FROM job'), '1:10 2:10 3:10 4:10 -780', 'all: every day anew');
like(results('ALTER TABLE job ADD CONSTRAINT c CHECK (id <> 15) NOT VALID', backfill(2, "reprocess => 'all'")), qr/HINT: .* reprocess => 'failed'\. CONTEXT:  job "job"$/, 'all: the hint says what does the rest alone');
is(results($days, 'ALTER TABLE job DROP CONSTRAINT c'), '1:10 2:10 3:10 4:10', 'a replace that fails leaves the day as it was');
is(results(backfill(4, "reprocess => 'failed'")), $line->(1, 10, ' DETAIL:  1 of 4 windows failed before.'), 'failed: a window that was loaded before');

# Days of a job with other windows are those windows.
is(results(fresh(), define('SELECT * FROM job WHERE day >= $1 AND day < $2', window_size => "'3 days'"), backfill(4)), $line->(2, 60), 'windows of several days: those that overlap the days');
is(results($covered), '{["2018-07-01 00:00:00+00","2018-07-07 00:00:00+00")}', 'windows of several days: what is loaded');
is(results(fresh(), define('SELECT * FROM job WHERE day + id % 10 * interval \'2 hours\' >= $1 AND day + id % 10 * interval \'2 hours\' < $2', window_size => "'6 hours'"), backfill(2)), $line->(8, 20), 'windows of hours');
is(results($days), '1:10 2:10', 'windows of hours: every row');

# What is wrong with the call.
results(fresh(), define($query));
for my $case (
	[ 'no job', backfill(2) =~ s/'job'/'jbo'/r, '42704' ],
	[ 'last before first', backfill(0) =~ s/07-00/06-30/r, '22023' ],
	[ 'no first day', backfill(2) =~ s/'2018-07-01'/NULL/r, '22004' ],
	[ 'no last day', backfill(2) =~ s/'2018-07-02'/NULL/r, '22004' ],
	[ 'infinite', backfill(2) =~ s/'2018-07-02'/'infinity'/r, '22008' ],
	[ 'too many days', backfill(2) =~ s/'2018-07-02'/'2999-01-01'/r, '22023' ],
	[ 'workers 0', backfill(2, 'workers => 0'), '22023' ],
	[ 'workers 65', backfill(2, 'workers => 65'), '22023' ],
	[ 'workers NULL', backfill(2, 'workers => NULL'), '22004' ],
	[ 'reprocess', backfill(2, "reprocess => 'some'"), '22023' ],
	[ 'a transaction block', 'BEGIN; ' . backfill(2), '2D000' ],
	[ 'a read-only transaction', 'SET default_transaction_read_only = on; ' . backfill(2), '25006' ])
{
	my ($name, $sql, $sqlstate) = @$case;
	fails_with($destination, $sql, $sqlstate, qr/./, "refused: $name");
}
is(results('SELECT count(*) FROM copy_incremental_runs'), 0, 'refused: no day ran');

# What is wrong with every window of the job is tried once, and recorded.
like(results('ALTER TABLE job RENAME TO gone', 'CREATE TABLE kept AS TABLE gone', 'DROP TABLE gone', backfill(5)),
	qr/ERROR:  1 of 5 windows of job "job" failed DETAIL:  job "job", window 2018-07-01: table public\.job, the target of job "job", does not exist \(SQLSTATE 42P01\); 4 windows not tried/, 'a target that was dropped');
is(results($ledger), '1failed42P01', 'a target that was dropped: recorded once');

# A cancel ends all; the days before stay, and the same call does the rest.
results($create, q[SELECT copy_incremental_drop_job('job')], define($query), fresh());
my ($session, $pid) = open_session($destination);
results('CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NEW; END$$',
	'CREATE TRIGGER wait BEFORE INSERT ON job FOR EACH ROW WHEN (new.id = 25) EXECUTE FUNCTION wait()');
my ($holder) = open_session($destination);
$holder->query_safe('SELECT pg_advisory_lock(7)');
start_call($session, backfill(5));
ok(wait_until($destination, "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = $pid"), 'the third day waits');
results("SELECT pg_cancel_backend($pid)");
my ($sqlstate) = end_of_call($session);
is($sqlstate, '57014', 'cancelled');
no_session_left($source, 'nothing runs at the source');
is(results($days, $ledger), '1:10 2:10 1succeeded 2succeeded', 'the days before it stay, the one in hand is gone');
$holder->quit;
like($session->query_safe(backfill(5)), qr/^$/, 'the session can do the rest');
is(results($days), '1:10 2:10 3:10 4:10 5:10', 'which completes it');
$session->quit;

done_testing();
