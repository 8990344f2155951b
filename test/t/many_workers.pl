# copy_incremental_backfill() with background workers: the same rows for any jobs; rights, settings and secrets; few
# slots; nothing left behind by a cancel, an error, or the end of the leader.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Utils;
use Test::More;
use TwoServers;

my $zone = 'America/New_York';
my ($source, $destination) = start_servers(
	source => "timezone = 'UTC'\nlog_statement = all\n",
	destination => "timezone = '$zone'\nlog_statement = all\nlog_min_messages = debug1\n");
my $data = "$FindBin::RealBin/../data";

sub results { return one_line($destination, 'default', @_); }

$_->safe_psql('postgres', slurp_file("$data/schema.sql")) for $source, $destination;
for my $table (qw(flights weather))
{
	my $csv = PostgreSQL::Test::Utils::tempdir() . "/$table.csv";
	system("zcat $data/$table.csv.gz > $csv") == 0 or die "zcat $table.csv.gz";
	$source->safe_psql('postgres', "\\copy $table FROM '$csv' WITH (FORMAT csv, HEADER, NULL 'NA')");
}

# One line a day: day|rows|checksum.
sub days
{
	my ($node, $table) = @_;
	return $node->safe_psql('postgres', <<~SQL);
		SET timezone = '$zone';
		SELECT time_hour::date, count(*), sum(hashtextextended(t::text, 0)::numeric) FROM $table AS t GROUP BY 1 ORDER BY 1;
		SQL
}

# Defines a job whose first day is the first of the year, and loads its windows up to a day.
sub backfill
{
	my ($table, $last, $workers, %argument) = @_;
	my $query = delete $argument{query} // "SELECT * FROM $table WHERE time_hour >= \$1 AND time_hour < \$2";
	return define_job($table, $query, first_day => "'2013-01-01'", %argument) . '; ' . loads($table, $last, $workers);
}
sub loads { my ($table, $last, $workers) = @_; return "CALL copy_incremental_backfill('$table', '2013-01-01', '$last', $workers)"; }
my @fresh = ('DELETE FROM pgci_runs', 'DELETE FROM pgci_coverage');

my $workers = q[SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'copy_incremental'];

# All days, whatever jobs is.
for my $case ([ 'weather', '2013-12-31', 364 ], [ 'flights', '2013-01-31', 31 ])
{
	my ($table, $last, $with_rows) = @$case;
	my $expected = days($source, $table);
	is(scalar(() = $expected =~ /^2013/mg), $with_rows, "$table: days at the source");
	for my $workers (1, 2, 4)
	{
		my $said = results("TRUNCATE $table", @fresh, 'SET client_min_messages = debug1', backfill($table, $last, $workers));
		my $all = () = $said =~ /DEBUG:  job "$table": window 2013-\d\d-\d\d: \d+ rows in/g;
		is("$all " . ($said =~ /ERROR|WARNING/ ? $said : ''), ($table eq 'weather' ? 365 : 31) . ' ', "$table, workers $workers: a line for each day");
		like($said, qr/NOTICE:  job "$table": $all windows, \d+ rows$/, "$table, workers $workers: one for all");
		is(days($destination, $table), $expected, "$table, workers $workers: every day equal by count and checksum");
	}
}
is(results("SELECT count(*), count(*) FILTER (WHERE status = 'succeeded') FROM copy_incremental_runs"), '31|31', 'the ledger');
is(results($workers), 0, 'no worker is left');

# A day that fails in a worker.
results('TRUNCATE flights', @fresh);
$source->safe_psql('postgres', "UPDATE flights SET dest = NULL WHERE false; ALTER TABLE flights ALTER dest DROP NOT NULL;
	UPDATE flights SET dest = NULL WHERE time_hour = '2013-01-07 20:00+00' AND flight = (SELECT min(flight) FROM flights WHERE time_hour = '2013-01-07 20:00+00')");
my $said = results(backfill('flights', '2013-01-10', 3));
like($said, qr/WARNING:  job "flights": window 2013-01-07 failed: null value in column "dest"/, 'a bad row in a worker: the day is named');
like($said, qr/ERROR:  1 of 10 windows of job "flights" failed DETAIL:  job "flights", window 2013-01-07: null value in column "dest".* \(SQLSTATE 23502\)/, 'a bad row in a worker: and in the error');
is(results(q[SELECT count(DISTINCT time_hour::date) FROM flights]), 9, 'a bad row in a worker: the other days are there');
is(results(q[SELECT lower(data_interval)::date, sqlstate, username = current_user FROM copy_incremental_runs WHERE status = 'failed']), '2013-01-07|23502|t',
	'a bad row in a worker: the ledger');
$source->safe_psql('postgres', "UPDATE flights SET dest = 'BOS' WHERE dest IS NULL");
like(results(backfill('flights', '2013-01-10', 3)), qr/^NOTICE:  job "flights": 1 window, \d+ rows DETAIL:  9 of 10 windows were loaded before\.$/,
	'after the fix one call completes it');
# A deferred constraint fails when the worker commits.
results('TRUNCATE flights', @fresh, 'CREATE TABLE open_days AS SELECT g AS day FROM generate_series(1, 31) AS g WHERE g <> 7', 'ALTER TABLE open_days ADD PRIMARY KEY (day)',
	'ALTER TABLE flights ADD CONSTRAINT is_open FOREIGN KEY (day) REFERENCES open_days DEFERRABLE INITIALLY DEFERRED');
like(results(backfill('flights', '2013-01-10', 3)), qr/WARNING:  job "flights": window 2013-01-07 failed: insert or update on table "flights" violates foreign key constraint "is_open".*ERROR:  1 of 10 windows/,
	'a deferred constraint in a worker: the day is named');
is(results(q[SELECT string_agg(DISTINCT day::text, ' ' ORDER BY day::text) FROM flights], q[SELECT sqlstate FROM copy_incremental_runs WHERE status = 'failed']), '1 10 2 3 4 5 6 8 9 23503',
	'a deferred constraint in a worker: the other days are loaded');
results('ALTER TABLE flights DROP CONSTRAINT is_open', 'DROP TABLE open_days');

# Who the workers are: rights, roles, settings.
results(q[CREATE ROLE etl LOGIN], q[CREATE ROLE loader NOLOGIN], 'GRANT loader TO etl', 'CREATE ROLE poor LOGIN',
	qq[CREATE USER MAPPING FOR loader SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')],
	qq[CREATE USER MAPPING FOR poor SERVER src OPTIONS (user 'etl_reader', password '$TwoServers::password')],
	'GRANT USAGE ON FOREIGN SERVER src TO loader, poor', 'GRANT EXECUTE ON PROCEDURE copy_incremental_backfill TO loader, poor', 'GRANT EXECUTE ON FUNCTION copy_incremental_create_job TO loader, poor',
	'CREATE TABLE seen (who text, session text, role text, zone text, path text, wm text, su text)', 'GRANT INSERT ON seen TO PUBLIC', 'CREATE SCHEMA mine',
	'CREATE TABLE mine.flights (LIKE flights)', 'GRANT USAGE ON SCHEMA mine TO loader', 'GRANT INSERT ON mine.flights TO loader',
	q[CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.seen SELECT current_user, session_user, current_setting(''role''),
	  current_setting(''timezone''), current_setting(''search_path''), current_setting(''work_mem''), current_setting(''is_superuser''); RETURN NULL; END'],
	'CREATE TRIGGER see AFTER INSERT ON mine.flights EXECUTE FUNCTION see()');
my $as_etl = "SET SESSION AUTHORIZATION etl; SET ROLE loader; SET search_path = mine, public; SET work_mem = '7MB'; SET timezone = 'UTC'; ";
my $mine = sub { return define_job('mine', 'SELECT * FROM flights WHERE time_hour >= $1 AND time_hour < $2', first_day => "'2013-01-01'", @_) };
like(results($as_etl . $mine->(), $as_etl . loads('mine', '2013-01-04', 2)), qr/NOTICE:  job "mine": 4 windows, \d+ rows$/,
	'after SET SESSION AUTHORIZATION and SET ROLE, to a role that cannot log in');
is(results('SELECT DISTINCT * FROM seen'), 'loader|etl|loader|UTC|mine, public|7MB|off', 'workers are the current role, and have the settings of the session');
is(results(q[SELECT DISTINCT username FROM copy_incremental_runs WHERE target = 'mine.flights'::regclass]), 'loader', 'so says the ledger');
like(results('SET ROLE poor', loads('mine', '2013-01-04', 2)), qr/^ERROR:  permission denied for job "mine"/, 'a job of another role');
like(results('SET ROLE poor', define_job('poor', 'SELECT * FROM flights', target => "'mine.flights'", window_column => "'time_hour'")), qr/^ERROR:  permission denied for schema mine/, 'no right on the target');
like(results(q[SELECT copy_incremental_drop_job('flights')], 'GRANT INSERT ON flights TO poor', 'CREATE FUNCTION deny() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM 1 FROM public.weather; RETURN NEW; END$$',
		'CREATE TRIGGER deny BEFORE INSERT ON flights FOR EACH ROW EXECUTE FUNCTION deny()', 'SET ROLE poor', backfill('flights', '2013-01-12', 2)),
	qr/WARNING:  job "flights": window 2013-01-\d\d failed: permission denied for table weather/, 'a trigger has the rights of the caller in a worker, too');
results('DROP TRIGGER deny ON flights');
results(q[SELECT copy_incremental_drop_job('flights')]);
like(results('CREATE TEMP TABLE t (LIKE flights)', define_job('temporary', 'SELECT * FROM flights', first_day => "'2013-01-01'", target => "'t'", window_column => "'time_hour'")),
	qr/^ERROR:  a job cannot load into a temporary table/, 'a temporary table');
like(results('SET statement_timeout = 2000', define_job('replaced', 'SELECT * FROM flights', first_day => "'2013-01-01'", target => "'mine.flights'", mode => "'replace'", window_column => "'time_hour'"), "CALL copy_incremental_backfill('replaced', '2013-01-01', '2013-01-04', 2, 'all')"),
	qr/NOTICE:  job "replaced": 4 windows, \d+ rows$/, 'replace of several days at once');

# Few slots: fewer at once; none: the session itself.
for my $case ([ 1, qr/NOTICE:  job "[^"]+": 1 of 3 background workers could be started DETAIL:  1 window is loaded at a time\. HINT:  Raise max_worker_processes/ ],
	[ 0, qr/NOTICE:  job "[^"]+": 0 of 3 background workers could be started DETAIL:  This session loads the windows one after the other\. HINT:  Raise max_worker_processes/ ])
{
	my ($slots, $notice) = @$case;
	$destination->append_conf('postgresql.conf', "max_worker_processes = $slots\nmax_logical_replication_workers = 0\n");
	$destination->restart;
	my $said = results('TRUNCATE flights', @fresh, backfill('flights', '2013-01-06', 3));
	like($said, qr/^$notice.* job "flights": 6 windows, \d+ rows$/, "$slots free slots: a NOTICE, and all days");
}
$destination->append_conf('postgresql.conf', "max_worker_processes = 8\n");
$destination->restart;
results('CREATE FUNCTION no_login() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ALTER ROLE etl NOLOGIN$$', 'TRUNCATE mine.flights',
	@fresh);
my ($status, $out, $err) = $destination->psql('postgres', "SELECT no_login(); SET ROLE loader; " . loads('mine', '2013-01-03', 2), extra_params => [ '-U', 'etl' ]);
ok($status == 0 && $err =~ /WARNING:  job "mine": a background worker could not be used: role "etl" is not permitted to log in/ && $err =~ /job "mine": 3 windows, \d+ rows/,
	'workers that may not log in: the session does the days') or diag($err);

# However the leader ends, the workers end, and what they run at the source.
results('CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN NEW; END$$',
	'CREATE TRIGGER wait BEFORE INSERT ON flights FOR EACH ROW EXECUTE FUNCTION wait()');
my $slow = backfill('flights', '2013-01-31', 3, target => "'flights'", query => 'SELECT * FROM (SELECT *, pg_sleep(0.1) FROM flights) AS f WHERE time_hour >= $1 AND time_hour < $2') =~ s/SELECT \*/SELECT year, month, day, dep_time, sched_dep_time, dep_delay, arr_time, sched_arr_time, arr_delay, carrier, flight, tailnum, origin, dest, air_time, distance, hour, minute, time_hour/r;
for my $case (
	[ 'a cancel, while workers wait here', backfill('flights', '2013-01-31', 3), 'pg_cancel_backend', '57014' ],
	[ 'a cancel, while workers wait for the source', $slow, 'pg_cancel_backend', '57014' ],
	[ 'pg_terminate_backend', $slow, 'pg_terminate_backend', '57P01' ],
	[ 'statement_timeout', "SET statement_timeout = '1s';\n$slow", undef, '57014' ])
{
	my ($name, $sql, $signal, $sqlstate) = @$case;
	results('TRUNCATE flights', @fresh);
	my ($session, $pid) = open_session($destination);
	my ($holder) = open_session($destination);
	$holder->query_safe('SELECT pg_advisory_lock(7)');
	start_call($session, $sql);
	ok(wait_until($destination, "$workers = 3" =~ s/^(.*) = 3$/SELECT ($1) = 3/r), "$name: three workers");
	my $at_work = $sql eq $slow ? q[SELECT count(*) = 3 FROM pg_stat_activity WHERE usename = 'etl_reader' AND state = 'active' AND query LIKE 'FETCH%'] : undef;
	ok(wait_until($source, $at_work), "$name: which wait for the source") if $at_work && $signal;
	ok(wait_until($destination, q[SELECT count(*) = 3 FROM pg_stat_activity WHERE backend_type = 'copy_incremental' AND wait_event = 'advisory']), "$name: which wait here") if !$at_work && $signal;
	results("SELECT $signal($pid)") if $signal;
	is((end_of_call($session))[0], $sqlstate, "$name: the leader's error");
	ok(wait_until($destination, "SELECT ($workers) = 0"), "$name: no worker is left");
	no_session_left($source, "$name: nor a session at the source");
	is(results('SELECT count(*) FROM flights', q[SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid > 2]), '0 0', "$name: no row, no lock");
	$_->quit for $holder, $signal && $signal eq 'pg_terminate_backend' ? () : $session;
}
results('DROP TRIGGER wait ON flights');

# A worker that is terminated: its day failed, the others go on.
results('TRUNCATE flights', @fresh,
	'CREATE TRIGGER wait BEFORE INSERT ON flights FOR EACH ROW WHEN (NEW.day = 3) EXECUTE FUNCTION wait()');
my ($session) = open_session($destination);
my ($holder) = open_session($destination);
$holder->query_safe('SELECT pg_advisory_lock(7)');
start_call($session, backfill('flights', '2013-01-08', 2));
my $stuck = q[FROM pg_stat_activity WHERE backend_type = 'copy_incremental' AND wait_event = 'advisory'];
ok(wait_until($destination, "SELECT count(*) = 1 $stuck"), 'a worker waits');
is(results("SELECT query $stuck"), 'copy_incremental: 2013-01-03 into flights', 'pg_stat_activity says what it does');
results("SELECT pg_terminate_backend(pid) $stuck");
my ($state, $message) = end_of_call($session);
like("$state $message", qr/^57P01 .*1 of 8 windows of job "flights" failed\nDETAIL:  job "flights", window 2013-01-03: terminating background worker/s, 'the day of a worker that was terminated failed');
$_->quit for $session, $holder;
is(results('SELECT count(DISTINCT time_hour::date) FROM flights', 'DROP TRIGGER wait ON flights'), 7, 'the others are there');

# Two sessions at once share the work.
results('TRUNCATE flights', @fresh);
my @sessions = map { (open_session($destination))[0] } 1 .. 3;
start_call($_, loads('flights', '2013-01-31', 2)) for @sessions;
$_->query_safe('SELECT 1') for @sessions;
$_->quit for @sessions;
is(results('SELECT count(*), count(DISTINCT data_interval) FROM copy_incremental_runs'), '31|31', 'three sessions: each day is loaded once');

done_testing();
