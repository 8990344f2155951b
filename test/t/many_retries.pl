# A window that fails for a transient reason is tried again, after a pause that holds nothing; other errors are final.
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use TwoServers;
use Test::More;

my ($source, $destination) = start_servers(source => "superuser_reserved_connections = 3\n");
on_both('CREATE TABLE rows (id int, at timestamptz, v int)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO rows SELECT n, timestamptz '2018-07-28 00:30+00' + n * interval '1 hour', n FROM generate_series(0, 95) AS n]);
# Raises an error of this SQLSTATE so many times; a sequence is not rolled back.
$destination->safe_psql('postgres', <<~'SQL');
	CREATE SEQUENCE failures;
	CREATE TABLE fault (code text, times int);
	CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE f fault; BEGIN
	  SELECT * INTO f FROM fault;
	  IF FOUND AND nextval('failures') <= f.times THEN RAISE EXCEPTION 'a fault' USING ERRCODE = f.code; END IF;
	  RETURN NEW; END $$;
	CREATE TRIGGER fail BEFORE INSERT ON rows FOR EACH STATEMENT EXECUTE FUNCTION fail();
	SQL

my $jobs = 0;
sub create { my ($job, %option) = @_; return define_job($job, 'SELECT * FROM rows', window_column => "'at'", first_day => "'2018-07-28'", time_zone => "'UTC'", target => "'rows'", lag => "now() - '2018-07-30 12:00+00'", %option) }
sub value { my ($sql) = @_; return $destination->safe_psql('postgres', $sql) }
sub sql { return one_line($destination, 'verbose', @_) =~ s/in \d+\.\d s/in N s/gr }
# A job of this name that has loaded nothing, and these faults.
sub begin
{
	my ($job, $code, $times, %option) = @_;
	value("TRUNCATE rows, fault, pgci_runs, pgci_jobs, pgci_coverage; ALTER SEQUENCE failures RESTART");
	value("INSERT INTO fault VALUES ('$code', $times)") if $code;
	value(create($job, %option));
	return;
}

my $ledger = q[SET TimeZone = UTC; SELECT string_agg(concat_ws(' ', to_char(lower(data_interval), 'DD'), attempt, status, sqlstate), ', ' ORDER BY run_id) FROM copy_incremental_runs];

# Transient errors, in the session, in workers and in a started run
for my $code (qw(40001 40P01 55P03))
{
	begin("job", $code, 1);
	is(sql("CALL copy_incremental_catch_up('job')"), qq[NOTICE:  00000: job "job": window 2018-07-28 failed, retry 1 of 3 follows in N s DETAIL:  The error was: a fault (SQLSTATE $code).  NOTICE:  00000: job "job": 2 windows, 48 rows], "$code: the window is tried again");
	is(value($ledger), "28 1 failed $code, 28 2 succeeded, 29 1 succeeded", "$code: each attempt is in the ledger");
	begin("job", $code, 2, mode => "'replace'");
	is(sql("CALL copy_incremental_backfill('job', '2018-07-28', '2018-07-29', 2, 'all')") =~ s/NOTICE:  00000: job "job": window \S+ failed, retry \d of 3 follows in N s DETAIL:  The error was: a fault \(SQLSTATE $code\)\./RETRY/gr, 'RETRY  RETRY  NOTICE:  00000: job "job": 2 windows, 48 rows', "$code: in workers");
	begin("job", $code, 1);
	my $run = value(q[SELECT copy_incremental_start('job', '2018-07-28')]);
	is(value("SELECT copy_incremental_wait($run)"), 't', "$code: a started run");
	is(value("SELECT string_agg(concat_ws(' ', run_id = $run, status, sqlstate), ', ' ORDER BY run_id) FROM copy_incremental_runs"), "t succeeded, f failed $code", "$code: its attempt is in the ledger");
}
is(value('SELECT count(*) FROM rows'), 24, 'the rows are there once');

# The last attempt fails.
begin('job', '40001', 100, retries => 1);
like(sql("CALL copy_incremental_catch_up('job')"), qr/WARNING:  40001: job "job": window 2018-07-28 failed: a fault.*ERROR:  40001: 2 of 2 windows of job "job" failed/, 'no more retries than the option says');
is(value($ledger), '28 1 failed 40001, 28 2 failed 40001, 29 1 failed 40001, 29 2 failed 40001', 'two attempts for each window');
begin('job', '40P01', 1, retries => 0);
like(sql("CALL copy_incremental_catch_up('job')"), qr/ERROR:  40P01: 1 of 2/, 'retries => 0');
# What is never tried again
for my $code (qw(23505 22P02 42501 53100 53200 54000 57014 58030 P0001 XX000 PI001 PI002 08004))
{
	begin('job', $code, 1);
	my $worker = $code eq '57014' ? ', 2' : '';
	like(sql("CALL copy_incremental_catch_up('job'$worker)"), qr/ERROR:  $code: .*1 of 2 windows|ERROR:  $code: 1 of 2/, "$code is not tried again");
	is(value("SELECT count(*) FROM copy_incremental_runs WHERE status = 'failed'"), '1', "$code: one attempt");
}
# A call, and a run in the transaction of the caller
begin('job', '40001', 1);
like(sql("SELECT copy_incremental_run('job', '2018-07-28')"), qr/ERROR:  40001/, 'run is one attempt, in the transaction of the caller');
like(sql("SELECT copy_incremental('src', 'SELECT * FROM rows', NULL, retries => 1)"), qr/ERROR:  42883/, 'a call has no retries');
like(sql(create('many', retries => 101)), qr/ERROR:  22023: retries must be between 0 and 100, not 101/, 'too many');

# A pause holds nothing, and a cancel ends it.
for my $where ('session', 'worker')
{
	begin('job', '08006', 100, mode => "'replace'");
	my ($session, $pid) = open_session($destination);
	start_call($session, "CALL copy_incremental_catch_up('job'" . ($where eq 'worker' ? ', 2)' : ')'));
	my $process = $where eq 'worker' ? "backend_type = 'copy_incremental'" : "pid = $pid";
	ok(wait_until($destination, "SELECT count(*) > 0 FROM copy_incremental_runs WHERE status = 'failed'"), "$where: an attempt has failed");
	ok(wait_until($destination, "SELECT bool_and(backend_xmin IS NULL AND backend_xid IS NULL) FROM pg_stat_activity WHERE $process"), "$where: no snapshot and no transaction id");
	is(value("SELECT count(*) FROM pg_locks WHERE relation = 'rows'::regclass"), '0', "$where: no lock of the target");
	is(value("SELECT count(*) FROM pgci_claims"), '0', "$where: no claim");
	no_session_left($source, "$where: no session at the source");
	is(value("SELECT pg_cancel_backend($pid)"), 't', "$where: cancelled");
	my ($state) = end_of_call($session);
	is($state, '57014', "$where: the cancel ends the pause");
	$session->quit;
	ok(wait_until($destination, q[SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'copy_incremental']), "$where: no worker is left");
}
begin('job', '08006', 100);
my $run = value(q[SELECT copy_incremental_start('job', '2018-07-28')]);
ok(wait_until($destination, "SELECT count(*) > 0 FROM copy_incremental_runs WHERE status = 'failed'"), 'start: an attempt has failed');
is(value("SELECT copy_incremental_cancel($run)"), 't', 'start: cancelled');
fails_with($destination, "SELECT copy_incremental_wait($run)", '57014', qr/canceling statement/, 'start: the cancel ends the pause');

# A source that is away for a while, and one that refuses
begin('job');
$source->stop('fast');
my ($session) = open_session($destination);
start_call($session, q[CALL copy_incremental_catch_up('job')]);
ok(wait_until($destination, "SELECT count(*) > 0 FROM copy_incremental_runs WHERE sqlstate = '08001'"), 'the source is down');
$source->start;
is($session->query('SELECT 1'), '1', 'the call ends');
$session->quit;
like(value($ledger), qr/^28 1 failed 08001, (28 \d failed 08001, )*28 \d succeeded, 29 1 succeeded$/, 'and the windows are loaded');
begin('job');
$source->safe_psql('postgres', "ALTER ROLE etl_reader PASSWORD 'other'");
like(sql("CALL copy_incremental_catch_up('job')"), qr/ERROR:  08004: .*1 of 2 windows.*1 window not tried|ERROR:  08004: 1 of 2 windows.*1 window not tried/, 'a wrong password is not tried again');
$source->safe_psql('postgres', "ALTER ROLE etl_reader PASSWORD '$TwoServers::password'");
begin('job', undef, 0, retries => 1);
$source->safe_psql('postgres', 'ALTER ROLE etl_reader CONNECTION LIMIT 0');
like(sql("CALL copy_incremental_catch_up('job')"), qr/DETAIL:  The error was: could not connect .*? \(SQLSTATE 53300\)/, 'no connection is left at the source');
is(value("SELECT string_agg(DISTINCT sqlstate, ' ') FROM copy_incremental_runs"), '53300', 'with its SQLSTATE');
$source->safe_psql('postgres', 'ALTER ROLE etl_reader CONNECTION LIMIT -1');

# Deadlocks of workers: the same keys in another order on each day (case U2)
on_both('CREATE TABLE hist (day timestamptz, id int, v int)', $source, $destination);
$source->safe_psql('postgres', q[INSERT INTO hist SELECT timestamptz '2018-07-01 12:00+00' + d * interval '1 day', id, d FROM generate_series(0, 5) AS d, generate_series(1, 5000) AS id ORDER BY d, hashint4(id * (d + 1))]);
value('ALTER TABLE hist ADD PRIMARY KEY (id)');
value(define_job('hist', 'SELECT * FROM hist', window_column => "'day'", first_day => "'2018-07-01'", time_zone => "'UTC'", target => "'hist'", mode => "'upsert'", lag => "now() - '2018-07-07 00:00+00'"));
my (undef, undef, $said) = $destination->psql('postgres', q[CALL copy_incremental_catch_up('hist', 4)]);
like($said, qr/job "hist": 6 windows, /, 'no day fails');
done_testing();
